#pragma once
/// Addresses for pods and services out of 127.0.0.0/8, so that every pod can listen on the same port with
/// nothing to set up.
///
/// Each running podium owns one /16, 127.N.0.0, for as long as it holds the lock of a small file; the kernel
/// drops the lock with the process, however it ends. All users of a machine share 127.0.0.0/8, so the files
/// are where all users meet: /run/lock, else /tmp. 127.0 is left to the rest of the machine.
///
/// Source: flock(2); 127.0.0.0/8 is local on Linux without configuration (RFC 1122, 3.2.1.3).

#include <podium/core/result.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fcntl.h>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace podium::inline v0::runtime {

/// The addresses first..last (host byte order) whose last octet is 1 to 254. Fresh ones go out in order,
/// released ones only when no fresh one is left, the longest released first: a late packet or a stale
/// connection to an old pod does not meet a new one. Who has a name gets the address again that it had.
class address_range {
public:
    address_range(std::uint32_t first, std::uint32_t last) : first_(first), last_(last), next_(first) {}

    /// "127.1.0.1", or `exhausted`. O(log n).
    [[nodiscard]] result<std::string> allocate();

    /// The address that was last given to this name, unless it is in use or had to be given to another since;
    /// else one as above, which from now on is this name's. O(n).
    [[nodiscard]] result<std::string> allocate(std::string_view owner);

    /// Takes this very address: `conflict` when it is in use, `invalid` when it is not of this range. O(n).
    [[nodiscard]] result<void> claim(std::string_view address);

    /// Gives it back; what is not in use is ignored. O(log n).
    void release(std::string_view address);

    [[nodiscard]] std::size_t in_use() const noexcept { return used_.size(); }

private:
    std::uint32_t first_;
    std::uint32_t last_;
    std::uint32_t next_;  ///< the lowest never given out by `allocate`; may be past last_
    std::set<std::uint32_t> used_{};
    std::deque<std::uint32_t> released_{};
    std::map<std::string, std::uint32_t, std::less<>> owned_{};  ///< by name, in use or not
};

/// One claimed /16. Movable; the claim ends with it.
class address_pool {
public:
    /// The first free /16 of 127.1 to 127.254. An empty directory: /run/lock, else /tmp.
    /// `exhausted` when all are taken, `forbidden` or `unavailable` when no lock file can be made.
    [[nodiscard]] static result<address_pool> claim(std::string directory = {});

    /// "127.3.0.0/16".
    [[nodiscard]] std::string cidr() const { return "127." + std::to_string(number_) + ".0.0/16"; }

    address_range pods;      ///< 127.N.0.1 to 127.N.239.254
    address_range services;  ///< 127.N.240.1 to 127.N.255.254

    address_pool(address_pool&& other) noexcept
        : pods(std::move(other.pods)),
          services(std::move(other.services)),
          number_(other.number_),
          lock_(std::exchange(other.lock_, -1))
    {
    }
    address_pool& operator=(address_pool&& other) noexcept
    {
        std::swap(pods, other.pods);
        std::swap(services, other.services);
        std::swap(number_, other.number_);
        std::swap(lock_, other.lock_);
        return *this;
    }
    ~address_pool()
    {
        // The file stays: removing it would let two processes lock two files of one name.
        if (lock_ >= 0)
            ::close(lock_);
    }

private:
    address_pool(std::uint32_t number, int lock)
        : pods(base(number) + 1, base(number) + (239 << 8) + 254),
          services(base(number) + (240 << 8) + 1, base(number) + (255 << 8) + 254),
          number_(number),
          lock_(lock)
    {
    }
    static std::uint32_t base(std::uint32_t number) { return (127U << 24) + (number << 16); }

    std::uint32_t number_;
    int lock_;
};

namespace detail {

inline std::string dotted(std::uint32_t a)
{
    return std::to_string(a >> 24) + '.' + std::to_string(a >> 16 & 255) + '.' +
        std::to_string(a >> 8 & 255) + '.' + std::to_string(a & 255);
}

/// 0 when it is no dotted quad.
inline std::uint32_t undotted(std::string_view text)
{
    std::uint32_t address = 0;
    for (int octet = 0; octet < 4; ++octet) {
        if (octet > 0) {
            if (text.empty() || text.front() != '.')
                return 0;
            text.remove_prefix(1);
        }
        std::uint32_t value = 0;
        std::size_t digits = 0;
        for (; digits < text.size() && digits < 3 && text[digits] >= '0' && text[digits] <= '9'; ++digits)
            value = value * 10 + static_cast<std::uint32_t>(text[digits] - '0');
        if (digits == 0 || value > 255 || (digits > 1 && text.front() == '0'))
            return 0;
        text.remove_prefix(digits);
        address = address << 8 | value;
    }
    return text.empty() ? address : 0;
}

inline bool is_host_octet(std::uint32_t address)
{
    return (address & 255) != 0 && (address & 255) != 255;
}

}  // namespace detail

inline result<std::string> address_range::allocate()
{
    for (; next_ <= last_; ++next_)
        if (detail::is_host_octet(next_) && !used_.contains(next_)) {
            used_.insert(next_);
            return detail::dotted(next_++);
        }
    if (released_.empty())
        return error{errc::exhausted, "all addresses are in use", {}, {}};
    auto const address = released_.front();
    released_.pop_front();
    used_.insert(address);
    std::erase_if(owned_, [&](auto const& o) { return o.second == address; });
    return detail::dotted(address);
}

inline result<std::string> address_range::allocate(std::string_view owner)
{
    auto const known = owned_.find(owner);
    if (known != owned_.end() && used_.insert(known->second).second) {
        std::erase(released_, known->second);
        return detail::dotted(known->second);
    }
    auto address = allocate();
    if (address)
        owned_.insert_or_assign(std::string(owner), detail::undotted(*address));
    return address;
}

inline result<void> address_range::claim(std::string_view text)
{
    auto const address = detail::undotted(text);
    if (address < first_ || address > last_ || !detail::is_host_octet(address))
        return error{errc::invalid,
            "must be an address from " + detail::dotted(first_) + " to " + detail::dotted(last_) +
                " whose last part is 1 to 254",
            {}, {}};
    if (!used_.insert(address).second)
        return error{errc::conflict, "the address is in use", {}, {}};
    std::erase(released_, address);
    return {};
}

inline void address_range::release(std::string_view text)
{
    auto const address = detail::undotted(text);
    if (used_.erase(address) > 0 && address < next_)  // else `allocate` comes to it by itself
        released_.push_back(address);
}

inline result<address_pool> address_pool::claim(std::string directory)
{
    if (directory.empty())
        directory = ::access("/run/lock", W_OK) == 0 ? "/run/lock" : "/tmp";
    for (std::uint32_t number = 1; number < 255; ++number) {
        auto const path = directory + "/podium-127." + std::to_string(number) + ".lock";
        // First without O_CREAT: in a sticky directory the kernel may refuse it for another user's file.
        auto lock = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (lock < 0 && errno == ENOENT) {
            lock = ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
            if (lock >= 0)
                (void)::fchmod(lock, 0644);  // whatever the umask: other users must be able to lock it
        }
        if (lock < 0) {
            if (errno == EACCES || errno == ELOOP)
                continue;  // someone else's idea of this file; another number will do
            return error{errc::unavailable, "no lock file can be made in " + directory, "addresses", {}};
        }
        if (::flock(lock, LOCK_EX | LOCK_NB) == 0)
            return address_pool(number, lock);
        ::close(lock);
    }
    return error{errc::exhausted,
        "every /16 of 127.0.0.0/8 is claimed, or its lock file in " + directory + " is out of reach",
        "addresses", {}};
}

}  // namespace podium::v0::runtime
