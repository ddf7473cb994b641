#pragma once
// Lines that are drawn over the last ones of this program on a terminal.
#include "columns.hpp"

#include <cstddef>
#include <cstdio>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

struct terminal_size {
    std::size_t columns = 80;
    std::size_t rows = 24;
};

inline terminal_size size_of_terminal()
{
    struct winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return {};
    return {size.ws_col, size.ws_row};
}

class painter {
public:
    // Each line is cut at the terminal's width.
    void draw(std::vector<std::string> const& lines)
    {
        auto const size = size_of_terminal();
        // One write, over what was there: nothing flickers.
        std::string out = drawn_ > 0 ? "\x1b[" + std::to_string(drawn_) + 'F' : std::string{};
        for (auto const& line : lines)
            out += fitted(line, size.columns) + "\x1b[K\n";
        out += "\x1b[J";
        drawn_ = lines.size();
        std::fwrite(out.data(), 1, out.size(), stdout);
        std::fflush(stdout);
    }

private:
    std::size_t drawn_ = 0;  // lines of the last picture
};
