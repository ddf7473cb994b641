#pragma once
/// What is wrong with a policy, gathered field by field.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>

#include <string>
#include <utility>

namespace podium::inline v0::autoscale::detail {

class complaints {
public:
    void operator()(std::string path, char const* expected)
    {
        error e{.code = errc::invalid, .message = expected, .path = std::move(path), .further = {}};
        if (any_)
            found_.add(std::move(e));
        else
            found_ = std::move(e);
        any_ = true;
    }
    [[nodiscard]] result<void> all() &&
    {
        if (any_)
            return std::move(found_);
        return {};
    }

private:
    error found_{};
    bool any_ = false;
};

}  // namespace podium::v0::autoscale::detail
