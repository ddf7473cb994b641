#pragma once
/// What every ContainerRuntime promises, as checks that run on yours, under any test framework.
///
///     auto broken = co_await runtime::check_contract(mine, {.serves = ..., .exits = ..., .missing_image =
///     ...});
///     // broken is empty, or says what does not hold, one sentence each
///
/// You say which configurations behave in which way. The runtime should be new: what it lists at the start
/// must be nothing. It is left empty. Time passes through `settle` alone, so a runtime on virtual time
/// takes part by moving its clock there.

#include <podium/core/result.hpp>
#include <podium/runtime/runtime.hpp>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podium::inline v0::runtime {

struct contract_cases {
    container_config serves{};                          ///< runs until SIGTERM, which ends it
    container_config exits{};                           ///< ends by itself with `exit_code`
    int exit_code = 0;                                  ///< of `exits`
    container_config missing_image{};                   ///< names an image that is not there
    std::optional<container_config> missing_command{};  ///< has an image, and a command that is not there
    std::optional<container_config> stubborn{};         ///< ignores SIGTERM as soon as it has printed a line
    std::optional<container_config> prints{};           ///< prints the lines `printed` to stdout and ends
    std::vector<std::string> printed{};
    std::function<boost::asio::awaitable<void>()> settle{};  ///< lets time pass; empty: 5 ms of real time
    int patience = 6000;                                     ///< how many times to `settle` for one change
};

/// Runs all checks one after the other; the sentences of those that failed. `r` and `cases` must outlive it;
/// a cancelled contract has checked nothing.
template<ContainerRuntime R>
[[nodiscard]] boost::asio::awaitable<std::vector<std::string>> check_contract(R& r, contract_cases cases);

namespace detail {

struct contract_report {
    std::vector<std::string> broken{};

    void check(bool holds, std::string promise)
    {
        if (!holds)
            broken.push_back(std::move(promise));
    }
    template<class T>
    void answers(result<T> const& got, std::optional<errc> wanted, std::string promise)
    {
        auto const code = got ? std::optional<errc>() : std::optional<errc>(got.error().code);
        if (code != wanted)
            broken.push_back(std::move(promise) + ", but: " +
                (got ? std::string("ok") : std::string(to_string(*code)) + " (" + got.error().text() + ')'));
    }
    /// As `answers`, where an operation may be left out.
    template<class T>
    void answers_or_lacks(result<T> const& got, std::optional<errc> wanted, std::string promise)
    {
        if (got || got.error().code != errc::unsupported)
            answers(got, wanted, std::move(promise));
    }
};

template<class R>
container_status row_of(R const& r, std::string const& id)
{
    for (auto& row : r.list())
        if (row.id == id)
            return row;
    return {};
}

inline boost::asio::awaitable<void> pass_time(contract_cases const& cases)
{
    if (cases.settle) {
        co_await cases.settle();
    } else {
        boost::asio::steady_timer pause(
            co_await boost::asio::this_coro::executor, std::chrono::milliseconds(5));
        co_await pause.async_wait(boost::asio::use_awaitable);
    }
}

template<class R>
boost::asio::awaitable<bool> settled(
    R const& r, contract_cases const& cases, std::string id, container_state wanted)
{
    for (int i = 0; i < cases.patience; ++i) {
        if (row_of(r, id).state == wanted)
            co_return true;
        co_await pass_time(cases);
    }
    co_return false;
}

/// Created and started, or an empty id and a sentence.
template<class R>
boost::asio::awaitable<std::string> started(
    R& r, contract_report& report, container_config config, std::string what)
{
    auto const id = co_await r.create(std::move(config));
    report.answers(id, {}, "create takes `" + what + '`');
    if (!id)
        co_return std::string();
    auto const ok = co_await r.start(*id);
    report.answers(ok, {}, "start of `" + what + "` succeeds");
    co_return ok ? *id : std::string();
}

}  // namespace detail

template<ContainerRuntime R>
boost::asio::awaitable<std::vector<std::string>> check_contract(R& r, contract_cases cases)
{
    detail::contract_report report;
    auto const told = std::make_shared<int>(0);
    r.on_change([told] { ++*told; });
    exec_request any;  // no initialiser lists beside a co_await: gcc 12 cannot compile them
    any.command.push_back("true");
    log_query newest;
    newest.tail = 1;
    report.check(r.list().empty(), "a new runtime lists nothing");

    // Creating runs nothing.
    auto const created = co_await r.create(cases.serves);
    report.answers(created, {}, "create takes `serves`");
    if (!created)
        co_return report.broken;
    auto const id = *created;
    auto row = detail::row_of(r, id);
    report.check(!id.empty() && row.id == id, "what is created is listed by its id");
    report.check(row.pod_uid == cases.serves.pod_uid && row.pod_name == cases.serves.pod_name &&
            row.namespace_ == cases.serves.namespace_ && row.name == cases.serves.name &&
            row.image == cases.serves.image,
        "a row says which pod, container and image it is");
    report.check(row.state == container_state::created && row.pid == 0 && row.started_at == time_point{},
        "what is created does not run");
    report.answers(co_await r.stop(id, std::chrono::seconds(1)), {}, "stop leaves what never ran alone");
    report.check(
        detail::row_of(r, id).state == container_state::created, "stop leaves what never ran as it is");

    auto const missing = co_await r.create(cases.missing_image);
    report.answers(missing, errc::not_found, "create answers not_found for an image that is not there");
    report.check(
        missing || missing.error().path == "image", "the error of a missing image has the path \"image\"");
    report.check(r.list().size() == 1, "a failed create lists nothing");

    // Starting, once; a neighbour to see that it is left alone.
    report.answers(co_await r.start(id), {}, "start of `serves` succeeds");
    auto const neighbour = co_await detail::started(r, report, cases.serves, "serves");
    report.check(neighbour != id, "an id is used once");
    row = detail::row_of(r, id);
    report.check(row.state == container_state::running, "`serves` runs when start has answered");
    report.check(
        row.started_at != time_point{} && row.started_at >= row.created_at, "started_at is set at the start");
    report.answers(co_await r.start(id), errc::conflict, "a second start is a conflict");
    report.answers(co_await r.remove(id), errc::conflict, "removing what runs is a conflict");
    auto const before = co_await r.stats(id);
    auto const after = co_await r.stats(id);
    report.answers_or_lacks(before, {}, "stats of what runs are known");
    report.check(!before || !after || after->cpu_nanos >= before->cpu_nanos, "CPU time never falls");

    // Stopping, as often as one likes.
    report.answers(co_await r.stop(id, std::chrono::minutes(5)), {}, "stop of `serves` succeeds");
    row = detail::row_of(r, id);
    report.check(row.state == container_state::exited, "what stop has answered for is exited");
    report.check(row.pid == 0 && row.finished_at != time_point{} && row.finished_at >= row.started_at,
        "finished_at is set at the end");
    report.answers(co_await r.stop(id, std::chrono::seconds(1)), {}, "a second stop succeeds");
    report.check(detail::row_of(r, id) == row, "a second stop changes nothing");
    report.answers(co_await r.start(id), errc::conflict, "what has exited is not started again");
    report.answers_or_lacks(
        co_await r.exec(id, any), errc::conflict, "exec in what has exited is a conflict");
    report.check(neighbour.empty() || detail::row_of(r, neighbour).state == container_state::running,
        "a neighbour is left alone");
    report.answers(co_await r.stop(neighbour, duration::zero()), {}, "stop without grace succeeds");
    report.check(detail::row_of(r, neighbour).signal == 9 && detail::row_of(r, neighbour).exit_code == 137,
        "stop without grace is SIGKILL: signal 9, exit code 137");
    report.answers(co_await r.remove(neighbour), {}, "remove of what has exited succeeds");

    // Ending by itself.
    if (auto const brief = co_await detail::started(r, report, cases.exits, "exits"); !brief.empty()) {
        bool const ended = co_await detail::settled(r, cases, brief, container_state::exited);
        report.check(ended, "`exits` ends by itself");
        report.check(
            detail::row_of(r, brief).exit_code == cases.exit_code && detail::row_of(r, brief).signal == 0,
            "`exits` has its exit code and no signal");
        report.answers(co_await r.remove(brief), {}, "remove of what has exited succeeds");
    }
    if (cases.stubborn) {
        if (auto const deaf = co_await detail::started(r, report, *cases.stubborn, "stubborn");
            !deaf.empty()) {
            for (int i = 0; i < cases.patience; ++i) {
                auto const said = co_await read_logs(r, deaf);
                if (!said || !said->empty())
                    break;
                co_await detail::pass_time(cases);
            }
            report.answers(
                co_await r.stop(deaf, std::chrono::milliseconds(50)), {}, "stop of `stubborn` succeeds");
            report.check(
                detail::row_of(r, deaf).signal == 9, "what ignores SIGTERM gets SIGKILL after its grace");
            report.answers(co_await r.remove(deaf), {}, "remove of `stubborn` succeeds");
        }
    }
    if (cases.missing_command) {
        auto const lost = co_await r.create(*cases.missing_command);
        report.answers(lost, {}, "create takes `missing_command`");
        if (lost) {
            report.check(!(co_await r.start(*lost)), "start of a command that is not there is an error");
            row = detail::row_of(r, *lost);
            report.check(row.state == container_state::exited && !row.message.empty(),
                "what could not be executed is exited and says why");
            report.answers(co_await r.remove(*lost), {}, "remove of `missing_command` succeeds");
        }
    }
    if (cases.prints) {
        if (auto const talker = co_await detail::started(r, report, *cases.prints, "prints");
            !talker.empty()) {
            bool const ended = co_await detail::settled(r, cases, talker, container_state::exited);
            report.check(ended, "`prints` ends by itself");
            auto const all = co_await read_logs(r, talker);
            report.answers_or_lacks(all, {}, "logs of what has exited are there");
            if (all) {
                std::vector<std::string> texts;
                for (auto const& line : *all)
                    texts.push_back(line.text);
                report.check(texts == cases.printed, "logs are what was printed, line by line");
                auto const last = co_await read_logs(r, talker, newest);
                report.check(last && last->size() == std::min<std::size_t>(cases.printed.size(), 1) &&
                        (last->empty() || last->back().text == cases.printed.back()),
                    "tail = 1 is the last line");
            }
            report.answers(co_await r.remove(talker), {}, "remove of `prints` succeeds");
        }
    }

    // Forgetting.
    report.answers(co_await r.remove(id), {}, "remove of what has exited succeeds");
    report.answers(co_await r.remove(id), {}, "remove of what is not there succeeds");
    report.answers(co_await r.start(id), errc::not_found, "start of what is not there is not_found");
    report.answers(co_await r.stop(id, std::chrono::seconds(1)), errc::not_found,
        "stop of what is not there is not_found");
    report.answers_or_lacks(
        co_await r.stats(id), errc::not_found, "stats of what is not there are not_found");
    report.answers_or_lacks(
        co_await read_logs(r, id), errc::not_found, "logs of what is not there are not_found");
    report.answers_or_lacks(
        co_await r.exec(id, any), errc::not_found, "exec in what is not there is not_found");
    report.check(r.list().empty(), "what is removed is not listed");
    for (int i = 0; i < cases.patience && *told == 0; ++i)
        co_await detail::pass_time(cases);
    report.check(*told > 0, "on_change tells of changes");
    r.on_change({});
    co_return report.broken;
}

}  // namespace podium::v0::runtime
