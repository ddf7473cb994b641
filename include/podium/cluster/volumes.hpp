#pragma once
/// The directories behind volumes, on this machine's disk.
///
///     DATA/claims/<namespace>/<claim>   made when it is first mounted; never removed by podium
///     DATA/pods/<pod>/<volume>          the pod's own; removed with the pod, and when DATA is opened again
///     DATA/lock                         held while podium runs: no other podium uses the same files
///
/// A claim is its name: who asks for the same claim of the same namespace finds the same files, on whatever
/// node, after whatever ended, `podium` included. Deleting the claim's object leaves them, so that no
/// data goes by accident; they are removed by whoever removes the directory. Sizes and classes are not looked
/// at, nothing keeps a volume from filling the disk.
///
/// Not synchronised. Blocks for the time of a mkdir and an fsync.

#include <podium/core/result.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace podium::inline v0::cluster {

class volumes {
public:
    /// Nothing is touched before something is mounted. An empty directory: a temporary one, removed at the
    /// end with all that is in it.
    explicit volumes(std::string directory) : directory_(std::move(directory)), temporary_(directory_.empty())
    {
    }
    volumes(volumes const&) = delete;
    volumes& operator=(volumes const&) = delete;
    ~volumes()
    {
        if (temporary_ && lock_ >= 0)
            remove(directory_);
        if (lock_ >= 0)
            ::close(lock_);
    }

    /// The claim's directory, absolute. `unavailable` when it cannot be made, `conflict` when another podium
    /// has DATA.
    [[nodiscard]] result<std::string> claim(std::string_view namespace_, std::string_view name)
    {
        return made({"claims", namespace_, name});
    }
    /// The pod's own directory for one of its volumes.
    [[nodiscard]] result<std::string> scratch(std::string_view pod_uid, std::string_view volume)
    {
        auto const pod = plain(pod_uid);
        return made({"pods", pod, volume});
    }
    /// The pod is gone, and so is what it had of its own. What is not there is no error.
    void forget(std::string_view pod_uid)
    {
        if (lock_ >= 0)
            remove(directory_ + "/pods/" + plain(pod_uid));
    }
    /// A folder in a directory, made if it is not there.
    [[nodiscard]] static result<std::string> folder(std::string directory, std::string_view path)
    {
        for (std::size_t at = 0; at < path.size();) {
            auto const end = std::min(path.find('/', at), path.size());
            auto const part = path.substr(at, end - at);
            at = end + 1;
            if (part.empty() || part == ".")
                continue;
            if (part == "..")
                return error{errc::invalid, "must stay inside of the volume", "subPath", {}};
            if (auto fine = make(directory, part); !fine)
                return fine.error();
            (directory += '/') += part;
        }
        return directory;
    }

private:
    /// A pod's uid as a file name.
    static std::string plain(std::string_view uid)
    {
        std::string out(uid);
        std::ranges::replace(out, '/', '_');
        return out.empty() || out.front() == '.' ? '_' + out : out;
    }
    static void remove(std::string const& path)
    {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    static error trouble(std::string const& path)
    {
        return {errc::unavailable, path + ": " + std::strerror(errno), "volume", {}};
    }
    /// The directory's new entry is on the disk when this returns.
    static result<void> make(std::string const& in, std::string_view name)
    {
        auto const path = in + '/' + std::string(name);
        if (::mkdir(path.c_str(), 0700) != 0) {
            struct stat s{};
            if (errno == EEXIST && ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode))
                return {};
            return trouble(path);
        }
        int const parent = ::open(in.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool const kept = parent >= 0 && ::fsync(parent) == 0;
        auto const why = errno;
        if (parent >= 0)
            ::close(parent);
        errno = why;
        return kept ? result<void>{} : trouble(in);
    }
    result<std::string> made(std::initializer_list<std::string_view> parts)
    {
        if (auto fine = open(); !fine)
            return fine.error();
        auto path = directory_;
        for (auto const part : parts) {
            if (part.empty() || part.front() == '.' || part.find('/') != part.npos)
                return error{errc::invalid, "no name for a directory", "volume", {}};
            if (auto fine = make(path, part); !fine)
                return fine.error();
            (path += '/') += part;
        }
        return path;
    }
    result<void> open()
    {
        if (lock_ >= 0)
            return {};
        if (temporary_) {
            auto const* const temp = std::getenv("TMPDIR");
            directory_ =
                std::string(temp != nullptr && *temp != '\0' ? temp : "/tmp") + "/podium-data-XXXXXX";
            if (::mkdtemp(directory_.data()) == nullptr)
                return trouble(directory_);
        } else {
            std::error_code failed;
            std::filesystem::create_directories(directory_, failed);
            if (failed)
                return error{errc::unavailable, directory_ + ": " + failed.message(), "volume", {}};
            directory_ = std::filesystem::canonical(directory_, failed).string();
            if (failed)
                return error{errc::unavailable, failed.message(), "volume", {}};
        }
        auto const name = directory_ + "/lock";
        int const lock = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (lock < 0)
            return trouble(name);
        if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
            ::close(lock);
            return error{errc::conflict, "another podium has the volumes in " + directory_, "volume", {}};
        }
        lock_ = lock;
        remove(directory_ + "/pods");  // of a podium that was killed
        return {};
    }

    std::string directory_;
    bool temporary_;
    int lock_ = -1;
};

}  // namespace podium::v0::cluster
