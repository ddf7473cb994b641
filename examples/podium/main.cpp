// podium: container orchestration for one machine. This file finds the subcommand.
#include "commands.hpp"

#include <podium/version.hpp>

#include <csignal>
#include <cstdio>
#include <string_view>

int failed(podium::error const& e, int code)
{
    std::fprintf(stderr, "error: %s\n", e.text().c_str());
    return code;
}

namespace {

constexpr char const usage[] = R"(usage: podium COMMAND [ARGUMENT...]

Runs services from Kubernetes manifests as plain processes of this machine.

  up -f PATH...                   a cluster of its own in the foreground, kept at what the manifests say
  apply -f PATH...                bring objects to what manifests say
  get KIND [NAME] [-w]            show objects, and watch them
  logs POD | TYPE/NAME | -l ...   what containers print, of several pods in the order of time; -f goes on
  delete KIND NAME | -f PATH      take objects away; pods finish their requests first
  top pods|nodes                  the cpu and memory that they use
  plan -f PATH...                 what releasing these rollouts will do, step for step, before it starts
  rollout VERB KIND/NAME          follow a rollout, go back, promote, abort, pause, ...
  drain NODE...                   send the pods of nodes elsewhere, as fast as disruption budgets allow
  cordon, uncordon NODE...        no new pods for nodes, and again some
  pipeline run|watch FILE         build, test, publish, deploy and verify; back by itself when it must be
  tour                            real services run, are found, heal and roll: what podium can do, checked

  --help      this; podium COMMAND --help tells the options of a command
  --version   which podium this is

Commands speak to the podium that is up through a unix socket: --socket, else $XDG_RUNTIME_DIR/podium.sock, else
/run/podium/podium.sock.
)";

}  // namespace

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN);
    std::vector<std::string> args(argv + 1, argv + argc);
    if (args.empty()) {
        std::fputs(usage, stderr);
        return 2;
    }
    auto const command = args.front();
    args.erase(args.begin());
    if (command == "--help" || command == "-h" || command == "help")
        return std::fputs(usage, stdout) < 0;
    if (command == "--version" || command == "version")
        return std::printf(
                   "podium %d.%d.%d\n", PODIUM_VERSION_MAJOR, PODIUM_VERSION_MINOR, PODIUM_VERSION_PATCH) < 0;
    struct {
        std::string_view name;
        int (*run)(std::vector<std::string> const&);
    } const commands[] = {{"up", up}, {"apply", apply}, {"get", get}, {"logs", logs}, {"delete", delete_},
        {"rollout", rollout}, {"cordon", cordon}, {"uncordon", uncordon}, {"drain", drain}, {"top", top},
        {"plan", plan}, {"pipeline", run_pipeline}, {"tour", play_tour}};
    for (auto const& c : commands)
        if (c.name == command)
            return c.run(args);
    return failed({podium::errc::invalid,
                      "unknown command \"" + command + "\"; podium --help tells what there is", {}, {}},
        2);
}
