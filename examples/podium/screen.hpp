#pragma once
// What `up` shows: a table that redraws itself on a terminal, a line for each notable change elsewhere.
#include "painter.hpp"

#include <podium/cluster/cluster.hpp>

#include <cstddef>
#include <deque>
#include <map>
#include <span>
#include <string>

class screen {
public:
    explicit screen(podium::cluster::local& c);
    ~screen();

    // Something that the operator should know, from podium itself.
    void note(std::string text, bool is_error = false);
    void changed(std::span<podium::reconcile::change const> changes);
    // Draws the table, if this is a terminal and anything changed or a second has passed.
    void draw();
    // The last frame stays; from now on notes are lines.
    void end();

private:
    void tell(podium::reconcile::change const& c);
    void once(std::string const& about, std::string text);
    std::string frame(std::size_t width, std::size_t height) const;

    podium::cluster::local& cluster_;
    bool terminal_;
    bool dirty_ = true;
    painter painter_{};
    podium::time_point drawn_at_{};
    std::deque<std::string> notes_{};
    std::map<std::string, std::string> told_{};  // the last line about each object
};
