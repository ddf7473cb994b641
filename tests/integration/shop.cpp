// The shop's programs for real: started, asked, told to misbehave, ended. They are expected where the build
// puts them: ../examples/images beside the folder of this test program.
#include <podium/model/config_map.hpp>
#include <podium/model/deployment.hpp>
#include <podium/model/scheme.hpp>
#include <podium/model/secret.hpp>
#include <podium/model/service.hpp>
#include <podium/model/stateful_set.hpp>
#include <podium/runtime/image_directory.hpp>
#include <podium/yaml/manifests.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace model = podium::model;
using namespace std::chrono_literals;

namespace {

std::string images()
{
    char self[PATH_MAX];
    auto const n = ::readlink("/proc/self/exe", self, sizeof self);
    std::string const path(self, n > 0 ? static_cast<std::size_t>(n) : 0);
    return path.substr(0, path.rfind('/')) + "/../examples/images";
}

std::string read_file(std::string const& name)
{
    std::ifstream file(name, std::ios::binary);
    REQUIRE_MESSAGE(file, name);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// An address of this test process's own.
std::string ip(unsigned last)
{
    auto const pid = static_cast<unsigned>(::getpid());
    return "127.254." + std::to_string(pid / 64 % 256) + '.' + std::to_string(pid % 64 * 4 + last);
}

struct folder {
    std::string path{};
    folder()
    {
        path = (std::filesystem::temp_directory_path() / "podium-shop-XXXXXX").string();
        REQUIRE(::mkdtemp(path.data()) != nullptr);
    }
    folder(folder const&) = delete;
    folder& operator=(folder const&) = delete;
    ~folder()
    {
        ::unlink((path + "/orders").c_str());
        ::rmdir(path.c_str());
    }
};

using variables = std::map<std::string, std::string>;

/// A program of an image, as a container would start it.
class program {
public:
    program(std::string const& image, variables const& env)
    {
        auto const entry = podium::runtime::open_image(images(), image);
        REQUIRE_MESSAGE(
            entry, image << ": " << (entry ? "" : entry.error().text()) << ", build example_shop first");
        podium::runtime::container_config config{.image = image};
        for (auto const& [name, value] : env)
            config.env.push_back({name, value});
        auto const what = podium::runtime::resolve(*entry, config);
        REQUIRE_MESSAGE(
            what, image << ": " << (what ? "" : what.error().text()) << ", build example_shop first");
        std::vector<char*> argv, envp;
        for (auto const& s : what->argv)
            argv.push_back(const_cast<char*>(s.c_str()));
        for (auto const& s : what->env)
            envp.push_back(const_cast<char*>(s.c_str()));
        argv.push_back(nullptr);
        envp.push_back(nullptr);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::execve(what->path.c_str(), argv.data(), envp.data());
            ::_exit(127);
        }
    }
    program(program const&) = delete;
    program& operator=(program const&) = delete;
    ~program()
    {
        signal(SIGKILL);
        exit_code();
    }

    void signal(int which) const
    {
        if (pid_ > 0)
            ::kill(pid_, which);
    }
    [[nodiscard]] bool ended()
    {
        int status = 0;
        if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_)
            end(status);
        return pid_ <= 0;
    }
    /// Waits for the end; 128 + signal when a signal ended it.
    int exit_code()
    {
        int status = 0;
        if (pid_ > 0 && ::waitpid(pid_, &status, 0) == pid_)
            end(status);
        return code_;
    }

private:
    void end(int status)
    {
        code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        pid_ = -1;
    }
    pid_t pid_ = -1;
    int code_ = -1;
};

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

/// One keep-alive connection, blocking.
class connection {
public:
    connection(std::string const& to, std::uint16_t port) : host_(to)
    {
        stream_.expires_after(10s);
        stream_.async_connect({asio::ip::make_address(to), port}, [this](auto ec) { ec_ = ec; });
        run();
    }
    [[nodiscard]] boost::system::error_code ec() const { return ec_; }

    void send(request asked)
    {
        asked.set(http::field::host, host_);
        asked.prepare_payload();
        stream_.expires_after(10s);
        http::async_write(stream_, asked, [this](auto ec, std::size_t) { ec_ = ec; });
        run();
    }
    std::optional<response> receive(std::chrono::milliseconds patience = 20s)
    {
        response got;
        stream_.expires_after(patience);
        http::async_read(stream_, buffer_, got, [this](auto ec, std::size_t) { ec_ = ec; });
        run();
        return ec_ ? std::nullopt : std::optional(std::move(got));
    }
    std::optional<response> call(request asked, std::chrono::milliseconds patience = 20s)
    {
        if (!ec_)
            send(std::move(asked));
        return ec_ ? std::nullopt : receive(patience);
    }

private:
    void run()
    {
        io_.restart();
        io_.run();
    }
    asio::io_context io_{1};
    std::string host_;
    beast::tcp_stream stream_{io_};
    beast::flat_buffer buffer_{};
    boost::system::error_code ec_{};
};

request make(
    http::verb method, std::string const& target, variables const& headers = {}, std::string body = {})
{
    request r(method, target, 11);
    for (auto const& [name, value] : headers)
        r.set(name, value);
    r.body() = std::move(body);
    return r;
}

std::optional<response> call(
    std::string const& to, std::uint16_t port, request asked, std::chrono::milliseconds patience = 20s)
{
    return connection(to, port).call(std::move(asked), patience);
}

std::optional<response> get(std::string const& to, std::uint16_t port, std::string const& target)
{
    return call(to, port, make(http::verb::get, target));
}

void await_healthy(program& p, std::string const& at, std::uint16_t port)
{
    for (auto const deadline = std::chrono::steady_clock::now() + 30s;
        std::chrono::steady_clock::now() < deadline;) {
        REQUIRE_MESSAGE(!p.ended(), "it ended with " << p.exit_code());
        if (auto const got = get(at, port, "/healthz"); got && got->result_int() == 200)
            return;
        std::this_thread::sleep_for(10ms);
    }
    FAIL("not healthy in time: " << at);
}

constexpr std::uint16_t web_port = 8080, db_port = 5432;

variables web_settings(unsigned last)
{
    return {{"POD_IP", ip(last)}, {"POD_NAME", "web-1"}, {"DB_SERVICE_HOST", ip(0)},
        {"DB_SERVICE_PORT", "5432"}, {"DB_PASSWORD", "secret"}, {"START_DELAY_MS", "0"}};
}

variables db_settings(folder const& data, unsigned last = 0)
{
    return {{"POD_IP", ip(last)}, {"DATA_DIR", data.path}, {"DB_PASSWORD", "secret"}};
}

}  // namespace

TEST_CASE("shop: the web says who it is, and each visitor converts or not, always the same")
{
    auto settings = web_settings(1);
    settings["CONVERSION_RATE"] = "0.3";
    settings["GREETING"] = "Good \"morning\"";
    program web("shop/web:1.2", settings);
    await_healthy(web, ip(1), web_port);

    connection c(ip(1), web_port);
    auto const got = c.call(make(http::verb::get, "/"));
    REQUIRE(got);
    CHECK((*got)["X-Version"] == "1.2");
    auto const about = nlohmann::json::parse(got->body());
    CHECK(about["version"] == "1.2");
    CHECK(about["pod"] == "web-1");
    CHECK(about["ip"] == ip(1));
    CHECK(about["greeting"] == "Good \"morning\"");
    CHECK(c.call(make(http::verb::get, "/version"))->body() == "1.2\n");
    CHECK(c.call(make(http::verb::get, "/nothing"))->result_int() == 404);

    int buying = 0;
    for (int visitor = 0; visitor < 500; ++visitor) {
        variables const who{{"X-Visitor", "v" + std::to_string(visitor)}};
        auto const first = c.call(make(http::verb::get, "/", who)),
                   again = c.call(make(http::verb::get, "/version", who));
        REQUIRE(first);
        REQUIRE(again);
        REQUIRE((*first)["X-Conversion"] == (*again)["X-Conversion"]);
        buying += (*first)["X-Conversion"] == "1";
    }
    CHECK(buying > 100);
    CHECK(buying < 200);
}

TEST_CASE("shop: an order is stored once, and outlives a kill of the db")
{
    folder data;
    auto db = std::make_unique<program>("shop/db:1.0", db_settings(data));
    program web("shop/web:1.0", web_settings(1));
    await_healthy(*db, ip(0), db_port);
    await_healthy(web, ip(1), web_port);

    auto const order = [](std::string const& id, std::string const& what) {
        return call(ip(1), web_port, make(http::verb::post, "/order", {{"X-Order", id}}, what));
    };
    CHECK(order("a1", "tea")->result_int() == 201);
    CHECK(order("a1", "tea")->result_int() == 200);
    CHECK(order("a1", "coffee")->result_int() == 409);
    CHECK(order("../a1", "tea")->result_int() == 400);
    CHECK(order("a2", "two\nlines")->result_int() == 400);
    CHECK(order("", "cake")->result_int() == 201);

    db->signal(SIGKILL);
    CHECK(db->exit_code() == 128 + SIGKILL);
    CHECK(order("a3", "tea")->result_int() == 503);
    std::ofstream(data.path + "/orders", std::ios::app) << "torn te";
    db = std::make_unique<program>("shop/db:1.0", db_settings(data));
    await_healthy(*db, ip(0), db_port);
    CHECK(order("a3", "tea")->result_int() == 201);

    auto const all = get(ip(1), web_port, "/orders");
    REQUIRE(all);
    auto const orders = nlohmann::json::parse(all->body());
    CHECK(orders["count"] == 3);
    CHECK(orders["ids"][0] == "a1");
    CHECK(orders["ids"][1] == "a3");
    CHECK(call(ip(0), db_port, make(http::verb::get, "/orders/a1", {{"Authorization", "Bearer secret"}}))
              ->body() == "tea\n");
    CHECK(call(ip(0), db_port, make(http::verb::get, "/orders/a1", {{"Authorization", "Bearer Secret"}}))
              ->result_int() == 401);
    CHECK(get(ip(0), db_port, "/orders")->result_int() == 401);

    program second("shop/db:1.0", db_settings(data, 2));
    CHECK(second.exit_code() == 1);
    db->signal(SIGTERM);
    CHECK(db->exit_code() == 0);
}

TEST_CASE("shop: SIGTERM finishes what was asked, closes what is idle, and ends with 0")
{
    program web("shop/web:1.1", web_settings(1));
    await_healthy(web, ip(1), web_port);
    connection idle(ip(1), web_port), busy(ip(1), web_port), late(ip(1), web_port);
    REQUIRE(idle.call(make(http::verb::get, "/")));
    REQUIRE(late.call(make(http::verb::get, "/")));
    busy.send(make(http::verb::get, "/slow?ms=600"));
    REQUIRE(get(ip(1), web_port, "/"));  // so that /slow has been taken up
    late.send(make(http::verb::get, "/"));
    web.signal(SIGTERM);

    auto const at_last = busy.receive();
    REQUIRE(at_last);
    CHECK(at_last->result_int() == 200);
    CHECK_FALSE(at_last->keep_alive());
    CHECK(late.receive());
    CHECK_FALSE(idle.receive());
    CHECK(idle.ec() == http::error::end_of_stream);
    CHECK(web.exit_code() == 0);
    CHECK(connection(ip(1), web_port).ec() == asio::error::connection_refused);
}

TEST_CASE("shop: faults on request")
{
    program web("shop/web:1.1", web_settings(1));
    await_healthy(web, ip(1), web_port);
    auto const fault = [](std::string const& which) {
        auto const got = call(ip(1), web_port, make(http::verb::post, "/control?fault=" + which));
        return got ? got->result_int() : 0;
    };

    SUBCASE("not ready is alive all the same, and may be ready again")
    {
        CHECK(get(ip(1), web_port, "/readyz")->result_int() == 200);
        CHECK(fault("unready") == 200);
        CHECK(get(ip(1), web_port, "/readyz")->result_int() == 503);
        CHECK(get(ip(1), web_port, "/healthz")->result_int() == 200);
        CHECK(fault("none") == 200);
        CHECK(get(ip(1), web_port, "/readyz")->result_int() == 200);
    }
    SUBCASE("burning answers still")
    {
        CHECK(fault("burn") == 200);
        CHECK(get(ip(1), web_port, "/")->result_int() == 200);
        web.signal(SIGTERM);
        CHECK(web.exit_code() == 0);
    }
    SUBCASE("hanging answers nothing, not even SIGTERM")
    {
        CHECK(fault("hang") == 200);
        bool silent = false;
        for (int i = 0; i < 100 && !silent; ++i)
            silent = !call(ip(1), web_port, make(http::verb::get, "/healthz"), 300ms);
        CHECK(silent);
        web.signal(SIGTERM);
        CHECK_FALSE(call(ip(1), web_port, make(http::verb::get, "/healthz"), 300ms));
        CHECK_FALSE(web.ended());
    }
    SUBCASE("crashing ends it with 3")
    {
        CHECK(fault("crash") == 200);
        CHECK(web.exit_code() == 3);
    }
    SUBCASE("there are no others")
    {
        CHECK(fault("fire") == 400);
    }
}

TEST_CASE("shop: settings that make no sense are refused")
{
    for (auto const& [name, value] : variables{{"PORT", "99999"}, {"PORT", "http"}, {"CONVERSION_RATE", "2"},
             {"START_DELAY_MS", "-1"}, {"FAULT", "fire"}, {"POD_IP", "home"}}) {
        CAPTURE(name);
        auto settings = web_settings(1);
        settings[name] = value;
        program web("shop/web:1.0", settings);
        CHECK(web.exit_code() == 1);
    }
}

TEST_CASE("shop: every tag is an image, and differs in what it starts with")
{
    for (std::string const tag : {"1.0", "1.1", "1.2", "1.3"}) {
        CAPTURE(tag);
        auto const entry = podium::runtime::open_image(images(), "shop/web:" + tag);
        REQUIRE(entry);
        CHECK(podium::runtime::resolve(*entry, {}));
        bool told = false;
        for (auto const& e : entry->env)
            told = told || (e.name == "VERSION" && e.value == tag);
        CHECK(told);
    }
    program broken("shop/web:1.3", web_settings(1));
    await_healthy(broken, ip(1), web_port);
    CHECK(get(ip(1), web_port, "/readyz")->result_int() == 503);
}

TEST_CASE("shop: the manifests are valid, and their parts fit each other")
{
    std::string const here = __FILE__;
    auto const manifests = here.substr(0, here.rfind('/')) + "/../../examples/shop/manifests/";
    auto const kinds = model::default_scheme();
    std::map<std::string, model::pod_template_spec> templates;
    std::map<std::string, model::stateful_set> sets;
    std::map<std::string, model::service> services;
    std::map<std::string, model::config_map> config_maps;
    std::map<std::string, model::secret> secrets;
    for (std::string const file : {"10-db.yaml", "20-web.yaml"}) {
        auto const read = podium::yaml::read_manifests(read_file(manifests + file), file, kinds);
        REQUIRE_MESSAGE(read, (read ? "" : read.error().text()));
        for (auto const& m : *read) {
            std::string const name(m.object.name());
            if (auto const d = m.object.as<model::deployment>())
                templates[name] = d->spec.template_;
            if (auto const d = m.object.as<model::stateful_set>()) {
                templates[name] = d->spec.template_;
                sets[name] = *d;
            }
            if (auto const s = m.object.as<model::service>())
                services[name] = *s;
            if (auto const c = m.object.as<model::config_map>())
                config_maps[name] = *c;
            if (auto const s = m.object.as<model::secret>())
                secrets[name] = *s;
        }
    }
    REQUIRE(sets.size() == 1);
    CHECK(services.contains(sets.at("db").spec.service_name));
    REQUIRE(templates.size() == 2);
    for (auto const& [name, template_] : templates) {
        CAPTURE(name);
        REQUIRE(services.contains(name));
        auto const& labels = template_.metadata.labels;
        for (auto const& [key, value] : services[name].spec.selector)
            CHECK(labels.at(key) == value);
        auto const& c = template_.spec.containers[0];
        CHECK(c.readiness_probe);
        CHECK(c.liveness_probe);
        CHECK(podium::runtime::open_image(images(), c.image));
        for (auto const& e : c.env) {
            if (!e.value_from)
                continue;
            if (auto const& from = e.value_from->config_map_key_ref)
                CHECK(config_maps.at(from->name).data.contains(from->key));
            if (auto const& from = e.value_from->secret_key_ref)
                CHECK(secrets.at(from->name).data.contains(from->key));
        }
    }
}
