#pragma once
/// The seam to whatever runs containers: eight operations, one snapshot, one "something changed".
///
/// A node agent compares what should run with what does: it reads `list()`, which is in memory and cheap,
/// decides, and asks for starts and stops. Nothing is pushed into it but the word that `list()` is worth
/// reading again, so an observation cannot be lost, doubled or reordered on its way.
/// A container is one run: it is created, started once, exits once. A restart is a new container of the
/// same pod and name; counting restarts is the agent's business.
///
/// Source: the operations and their idempotence follow the Container Runtime Interface of Kubernetes
/// (k8s.io/cri-api v1, RuntimeService), exit codes of signalled processes (128 + signal) what it reports.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::runtime {

struct env_var {
    std::string name{};
    std::string value{};
    friend bool operator==(env_var const&, env_var const&) = default;
};

/// Files of the machine that a container finds under a path of its own.
struct mount {
    std::string source{};  ///< absolute; it exists
    std::string target{};  ///< absolute, without a slash at its end
    bool read_only = false;
    friend bool operator==(mount const&, mount const&) = default;
};

/// What a container may take; 0: as much as podium itself may.
struct container_limits {
    std::uint64_t memory_bytes = 0;  ///< private memory of each of its processes
    std::uint64_t open_files = 0;    ///< open files of each of its processes
    friend bool operator==(container_limits const&, container_limits const&) = default;
};

/// What to run, and for which pod. Variables are already expanded.
struct container_config {
    std::string pod_uid{};
    std::string pod_name{};
    std::string namespace_{};
    std::string name{};                  ///< of the container, unique in its pod
    std::string image{};                 ///< "shop/web:1.2"; no tag: "latest"
    std::vector<std::string> command{};  ///< replaces the image's entrypoint and drops its arguments
    std::vector<std::string> args{};     ///< replaces the image's arguments
    std::vector<env_var> env{};          ///< over the image's; the last of a name wins
    std::string working_dir{};           ///< empty: the image's
    std::string ip{};                    ///< of the pod, for runtimes that set up networks
    container_limits limits{};
    std::vector<mount> mounts{};  ///< each target once
    friend bool operator==(container_config const&, container_config const&) = default;
};

enum class container_state : std::uint8_t {
    created,  ///< known, never started
    running,  ///< its command was executed
    exited,   ///< its command ended or could not be executed, and nothing it started is left
};

[[nodiscard]] constexpr std::string_view to_string(container_state s) noexcept
{
    switch (s) {
    case container_state::created: return "created";
    case container_state::running: return "running";
    case container_state::exited: return "exited";
    }
    return "unknown";
}

/// One row of `list()`.
struct container_status {
    std::string id{};  ///< the runtime's name for this one run, never used again
    std::string pod_uid{};
    std::string pod_name{};
    std::string namespace_{};
    std::string name{};
    std::string image{};
    container_state state = container_state::created;
    int exit_code = 0;      ///< once exited; 128 + signal when a signal ended it
    int signal = 0;         ///< the signal that ended it, else 0
    std::string message{};  ///< why it could not run, or ended without its own doing
    std::int32_t pid = 0;   ///< of its main process as podium sees it; 0 when there is none
    time_point created_at{};
    time_point started_at{};   ///< zero: never
    time_point finished_at{};  ///< zero: not yet
    friend bool operator==(container_status const&, container_status const&) = default;
};

/// Usage of a container's whole process tree. A rate is the caller's: two readings and the time between.
struct container_stats {
    std::uint64_t cpu_nanos = 0;     ///< used since its start; never falls while it runs
    std::uint64_t memory_bytes = 0;  ///< resident now
    friend bool operator==(container_stats const&, container_stats const&) = default;
};

enum class log_stream : std::uint8_t {
    out,
    err,
};

struct log_line {
    time_point time{};
    log_stream stream = log_stream::out;
    std::string text{};  ///< without its newline
    friend bool operator==(log_line const&, log_line const&) = default;
};

struct log_query {
    std::size_t tail = static_cast<std::size_t>(-1);  ///< at most so many lines, the newest of what there is
    time_point since{};                               ///< no older lines
    bool follow = false;  ///< then what is printed from now on, until the container has exited
};

/// Takes lines, oldest first and at least one at a time; nothing is read while it takes its time. False: it
/// wants no more.
using log_sink = std::function<boost::asio::awaitable<bool>(std::vector<log_line>)>;

struct exec_request {
    std::vector<std::string> command{};
    duration timeout = std::chrono::seconds(1);
    std::size_t output_bytes = 16 * 1024;  ///< of stdout and stderr together; the rest is dropped
};

struct exec_result {
    int exit_code = 0;  ///< 128 + signal when a signal ended it
    int signal = 0;
    std::string output{};
    friend bool operator==(exec_result const&, exec_result const&) = default;
};

/// Whatever runs containers.
///
/// - `create(config)`: an id, or `not_found` with path "image"; nothing runs yet. What it cannot give to a
///   container (a mount, say) is an error, never left out.
/// - `start(id)`: returns once the command is executed. A second start is a `conflict`. A command that
///   cannot be executed is an error, and the container is `exited` with a message.
/// - `stop(id, grace)`: SIGTERM, SIGKILL after `grace` (at once when it is not above zero), and returns when
///   nothing of it is left. Idempotent; a later call may shorten the grace, never lengthen it. The end comes
///   in time even if the caller stops waiting. A container that is not running is left as it is.
/// - `remove(id)`: forgets it and its logs. A running one is a `conflict`, an unknown one no error.
/// - `list()`: every container not removed, oldest first, at once.
/// - `stats(id)`, `logs(id, query, sink)`, `exec(id, request)`: may answer `unsupported`. Logs are there
/// until
///   `remove`, and complete once the container is `exited`; who reads them more slowly than they are dropped
///   misses lines, and holds nothing up. An exec that outlives its timeout is killed and answers `deadline`;
///   of a container that does not run, `conflict`.
/// - `on_change(f)`: f() follows every change of `list()`, never from inside a call of the runtime;
///   changes in quick succession may share a call. One listener; an empty function ends it.
///
/// Operations on an id that is not there answer `not_found`. Use it from one strand, the one it was made for.
template<class R>
concept ContainerRuntime = requires(R& r, R const& c, container_config config, std::string id, duration grace,
    log_query query, log_sink sink, exec_request request, std::function<void()> f) {
    { r.create(config) } -> std::same_as<boost::asio::awaitable<result<std::string>>>;
    { r.start(id) } -> std::same_as<boost::asio::awaitable<result<void>>>;
    { r.stop(id, grace) } -> std::same_as<boost::asio::awaitable<result<void>>>;
    { r.remove(id) } -> std::same_as<boost::asio::awaitable<result<void>>>;
    { c.list() } -> std::same_as<std::vector<container_status>>;
    { r.stats(id) } -> std::same_as<boost::asio::awaitable<result<container_stats>>>;
    { r.logs(id, query, sink) } -> std::same_as<boost::asio::awaitable<result<void>>>;
    { r.exec(id, request) } -> std::same_as<boost::asio::awaitable<result<exec_result>>>;
    { r.on_change(f) } -> std::same_as<void>;
};

/// All that `logs` tells at once; not for a query that follows. Errors: those of `logs`.
template<class R>
[[nodiscard]] boost::asio::awaitable<result<std::vector<log_line>>> read_logs(
    R& runtime, std::string id, log_query query = {})
{
    std::vector<log_line> all;
    log_sink const keep = [&all](std::vector<log_line> some) -> boost::asio::awaitable<bool> {
        std::ranges::move(some, std::back_inserter(all));
        co_return true;
    };
    auto const done = co_await runtime.logs(std::move(id), query, keep);
    if (!done)
        co_return done.error();
    co_return all;
}

/// The dull half of a runtime of your own, if you like: the rows of `list()`, the listener, and `unsupported`
/// for what you leave out. Derive from it and write create, start, stop and remove. No base is required.
class bookkeeping {
public:
    [[nodiscard]] std::vector<container_status> list() const { return rows_; }
    void on_change(std::function<void()> f)
    {
        listener_ = std::make_shared<std::function<void()>>(std::move(f));
    }
    boost::asio::awaitable<result<container_stats>> stats(std::string id) { co_return absent(id); }
    boost::asio::awaitable<result<void>> logs(std::string id, log_query, log_sink) { co_return absent(id); }
    boost::asio::awaitable<result<exec_result>> exec(std::string id, exec_request) { co_return absent(id); }

protected:
    /// A new row in state `created`; valid until the next `add` or `forget`.
    container_status& add(container_config const& c, time_point now);
    /// Null when there is none. O(n), as `forget`.
    [[nodiscard]] container_status* find(std::string_view id);
    void forget(std::string_view id);
    /// Running since `now`.
    static void begin(container_status& row, time_point now)
    {
        row.state = container_state::running;
        row.started_at = now;
    }
    /// Exited at `now`; a signal is 128 + its number.
    static void end(container_status& row, int exit_code, time_point now)
    {
        row.state = container_state::exited;
        row.exit_code = exit_code;
        row.signal = exit_code > 128 ? exit_code - 128 : 0;
        row.finished_at = now;
    }
    /// To be called after each change of a row: the listener is called later, on the executor.
    boost::asio::awaitable<void> changed();

private:
    [[nodiscard]] error absent(std::string_view id)
    {
        return find(id) == nullptr ? error{errc::not_found, "no such container", "id", {}}
                                   : error{errc::unsupported, "this runtime does not do that", {}, {}};
    }
    std::vector<container_status> rows_{};
    std::shared_ptr<std::function<void()>> listener_{};
    std::uint64_t last_ = 0;
};

inline container_status& bookkeeping::add(container_config const& c, time_point now)
{
    rows_.push_back({.id = c.pod_name + '_' + c.name + '_' + std::to_string(++last_),
        .pod_uid = c.pod_uid,
        .pod_name = c.pod_name,
        .namespace_ = c.namespace_,
        .name = c.name,
        .image = c.image,
        .created_at = now});
    return rows_.back();
}

inline container_status* bookkeeping::find(std::string_view id)
{
    for (auto& row : rows_)
        if (row.id == id)
            return &row;
    return nullptr;
}

inline void bookkeeping::forget(std::string_view id)
{
    std::erase_if(rows_, [&](container_status const& row) { return row.id == id; });
}

inline boost::asio::awaitable<void> bookkeeping::changed()
{
    boost::asio::post(co_await boost::asio::this_coro::executor, [weak = std::weak_ptr(listener_)] {
        if (auto const f = weak.lock(); f && *f)
            (*f)();
    });
}

}  // namespace podium::v0::runtime
