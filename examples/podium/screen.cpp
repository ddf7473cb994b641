#include "screen.hpp"

#include "columns.hpp"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace model = podium::model;
namespace reconcile = podium::reconcile;

namespace {

std::vector<std::string> lines_of(std::string const& text)
{
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        auto const end = std::min(text.find('\n', at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

}  // namespace

screen::screen(podium::cluster::local& c) : cluster_(c), terminal_(::isatty(STDOUT_FILENO) == 1)
{
    if (terminal_)
        std::fputs("\x1b[?25l", stdout);  // no cursor that jumps about
}

screen::~screen()
{
    end();
}

void screen::end()
{
    if (std::exchange(terminal_, false))
        std::fputs("\x1b[?25h", stdout);
    std::fflush(stdout);
}

void screen::note(std::string text, bool is_error)
{
    if (!terminal_) {
        std::fprintf(is_error ? stderr : stdout, "%s%s\n", is_error ? "error: " : "", text.c_str());
        std::fflush(is_error ? stderr : stdout);
        return;
    }
    for (auto const& line : lines_of(text))
        notes_.push_back((is_error ? "error: " : "") + harmless(line));
    while (notes_.size() > 12)
        notes_.pop_front();
    dirty_ = true;
}

void screen::changed(std::span<reconcile::change const> changes)
{
    dirty_ = true;
    if (!terminal_)
        for (auto const& c : changes)
            tell(c);
}

void screen::once(std::string const& about, std::string text)
{
    auto& last = told_[about];
    if (last == text)
        return;
    last = std::move(text);
    std::printf("%s: %s\n", about.c_str(), last.c_str());
    std::fflush(stdout);
}

void screen::tell(reconcile::change const& c)
{
    auto const in = [&](std::string_view kind) {
        auto const ns = c.object.namespace_();
        return std::string(kind) + '/' + (ns.empty() || ns == "default" ? "" : std::string(ns) + '/') +
            std::string(c.object.name());
    };
    auto const now = podium::store::clock::now();
    auto const show = [&](std::string_view plural) {
        return cells(plural, cluster_.kinds().to_json(c.object), true, now);
    };
    auto const set = [&](std::string_view kind) {
        auto const about = in(kind);
        if (c.deleted) {
            once(about, "deleted");
            told_.erase(about);
            return;
        }
        auto const r = show(std::string(kind) + 's');  // name, ready, up to date
        once(about, r[1] + " ready, " + r[2] + " up to date");
    };
    if (c.object.kind == &reconcile::kind_of<model::pod>) {
        auto const about = in("pod");
        if (c.deleted) {
            once(about, "gone");
            told_.erase(about);
            return;
        }
        auto const r = show("pods");  // name, ready, status, restarts, age, ip, node
        if (r[2] == "Pending" || r[2] == "ContainerCreating")
            return;  // on its way; what keeps it is told by an event
        once(about,
            r[2] + ", " + r[1] + " ready" + (r[3] == "0" ? "" : ", " + r[3] + " restarts") +
                (r[6] == "<none>" ? "" : ", on " + r[6]));
    } else if (c.object.kind == &reconcile::kind_of<model::deployment>) {
        set("deployment");
    } else if (c.object.kind == &reconcile::kind_of<model::stateful_set>) {
        set("statefulset");
    } else if (c.object.kind == &reconcile::kind_of<model::node>) {
        once(in("node"), c.deleted ? "gone" : show("nodes")[1]);
    } else if (c.object.kind == &reconcile::kind_of<model::service> && !c.deleted) {
        auto const r = show("services");
        once(in("service"), r[2] + ' ' + r[3]);
    } else if (auto const e = c.object.as<model::event>();
        e && !c.deleted && (e->type == "Warning" || e->reason == "Preempted")) {
        once(e->involved_object.kind + '/' + e->involved_object.name + " " + e->reason, harmless(e->message));
    }
}

void screen::draw()
{
    auto const now = podium::store::clock::now();
    if (!terminal_ || (!dirty_ && now - drawn_at_ < std::chrono::seconds(1)))
        return;
    dirty_ = false;
    drawn_at_ = now;
    auto const size = size_of_terminal();
    painter_.draw(lines_of(frame(size.columns, size.rows)));
}

std::string screen::frame(std::size_t, std::size_t height) const
{
    auto const now = podium::store::clock::now();
    std::vector<std::vector<std::string>> parts;
    auto const part = [&](std::string_view plural, bool wide) {
        auto const* const kind = cluster_.kinds().find(plural);
        std::vector<table_row> rows;
        cluster_.view().each(*kind->type, {}, [&](reconcile::object const& o) {
            auto r = cells(plural, cluster_.kinds().to_json(o), wide, now);
            if (kind->namespaced && o.namespace_() != "default" && plural != "events")
                r.front() = std::string(o.namespace_()) + '/' + r.front();
            rows.push_back(std::move(r));
        });
        if (rows.empty())
            return;
        auto head = headings(plural, wide);
        if (plural != "events")
            std::ranges::transform(
                plural, std::back_inserter(head.front() = {}), [](char c) { return char(c - 32); });
        rows.insert(rows.begin(), head);
        std::vector<std::size_t> widths;
        parts.push_back(lines_of(set_table(rows, widths)));
    };
    part("nodes", true);
    part("deployments", true);
    part("statefulsets", true);
    part("services", false);
    part("pods", true);

    std::vector<reconcile::handle<model::event>> events;
    for (auto const e : cluster_.view().all<model::event>())
        events.push_back(e);
    std::ranges::sort(events, {}, [](auto const& e) {
        return std::pair(e->last_timestamp ? e->last_timestamp->at : podium::time_point{}, e.modified);
    });
    if (events.size() > 6)
        events.erase(events.begin(), events.end() - 6);
    if (!events.empty()) {
        std::vector<table_row> rows{headings("events", false)};
        for (auto const& e : events)
            rows.push_back(cells("events", cluster_.kinds().to_json(reconcile::erase_type(e)), false, now));
        std::vector<std::size_t> widths;
        parts.push_back(lines_of(set_table(rows, widths)));
    }
    if (!notes_.empty())
        parts.emplace_back(notes_.begin(), notes_.end());

    auto const total = [&] {
        std::size_t sum = 0;
        for (auto const& p : parts)
            sum += p.size() + 1;
        return sum;
    };
    // What does not fit is cut from the longest part.
    std::vector<std::size_t> cut(parts.size());
    while (total() + 1 > height) {
        auto const longest = std::ranges::max_element(parts, {}, [](auto const& p) { return p.size(); });
        if (longest == parts.end() || longest->size() < 3)
            break;
        longest->pop_back();
        ++cut[static_cast<std::size_t>(longest - parts.begin())];
    }
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (cut[i] > 0)
            parts[i].back() = "... " + std::to_string(cut[i] + 1) + " more";
        for (auto const& line : parts[i])
            out += line + '\n';
        out += i + 1 < parts.size() ? "\n" : "";
    }
    return out;
}
