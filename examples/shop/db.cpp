/// The shop's database: orders on disk, over HTTP.
///
///     PUT /orders/ID   stores the body as order ID and answers when the disk has it: 201, or 200 when it was
///                      there already with the same text, 409 with another
///     GET /orders/ID   its text, or 404
///     GET /orders      {"count": 2, "ids": ["a1", "a2"]}
///     GET /healthz
///
/// From the environment: POD_IP, PORT, DATA_DIR, DB_PASSWORD (asked for as `Authorization: Bearer ...`).
/// Orders are lines of DATA_DIR/orders, "ID TEXT"; one process at a time may have it.

#include "serve.hpp"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace {

using namespace shop;

/// An append-only file of orders and its index. Orders that arrive together share one fsync.
class order_book {
public:
    order_book(asio::io_context& io, std::string const& directory) : io_(io), synced_(io)
    {
        synced_.expires_at(asio::steady_timer::time_point::max());
        must(::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST, directory);
        auto const name = directory + "/orders";
        file_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        must(file_ >= 0, name);
        must(::flock(file_, LOCK_EX | LOCK_NB) == 0, name + " is in use by another process");
        recover(name);
        int const folder = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        must(folder >= 0 && ::fsync(folder) == 0, directory);
        ::close(folder);
    }
    order_book(order_book const&) = delete;
    order_book& operator=(order_book const&) = delete;
    ~order_book() { ::close(file_); }

    /// 201, 200 or 409 as above. Ids and texts must be one line.
    asio::awaitable<http::status> put(std::string id, std::string text)
    {
        auto const [at, fresh] = orders_.try_emplace(id, text);
        if (at->second != text)
            co_return http::status::conflict;
        if (fresh)
            unwritten_ += id + ' ' + text + '\n';
        if (!unwritten_.empty()) {  // a repetition waits as well: its first may be in there
            if (!std::exchange(sync_due_, true))
                asio::post(io_, [this] { sync(); });
            for (auto const batch = batch_; batch == batch_;)
                co_await synced_.async_wait(as_result);
        }
        co_return fresh ? http::status::created : http::status::ok;
    }

    [[nodiscard]] std::map<std::string, std::string> const& orders() const { return orders_; }

private:
    static void must(bool fine, std::string const& what)
    {
        if (!fine)
            throw std::system_error(errno, std::generic_category(), what);
    }

    /// Reads what is there. A last line without an end was never confirmed to anybody: it goes.
    void recover(std::string const& name)
    {
        std::string all;
        char part[65536];
        for (ssize_t n = 0; (n = ::read(file_, part, sizeof part)) != 0;) {
            must(n > 0, name);
            all.append(part, static_cast<std::size_t>(n));
        }
        std::size_t at = 0;
        for (auto end = all.find('\n'); end != all.npos; at = end + 1, end = all.find('\n', at)) {
            auto const space = std::min(all.find(' ', at), end);
            orders_.emplace(all.substr(at, space - at),
                all.substr(std::min(space + 1, end), end - std::min(space + 1, end)));
        }
        must(::ftruncate(file_, static_cast<off_t>(at)) == 0, name);
    }

    /// After a failed write nobody knows what the disk has. Nothing more is confirmed; a restart reads what
    /// is there.
    void sync()
    {
        bool failed = false;
        for (std::size_t done = 0; done < unwritten_.size() && !failed;) {
            auto const n = ::write(file_, unwritten_.data() + done, unwritten_.size() - done);
            done += n > 0 ? static_cast<std::size_t>(n) : 0;
            failed = n < 0 && errno != EINTR;
        }
        if (failed || ::fdatasync(file_) != 0) {
            std::cerr << "db: the disk refused orders: " << std::generic_category().message(errno)
                      << std::endl;
            std::_Exit(1);
        }
        unwritten_.clear();
        sync_due_ = false;
        ++batch_;
        synced_.cancel();
    }

    asio::io_context& io_;
    asio::steady_timer synced_;
    int file_ = -1;
    std::map<std::string, std::string> orders_{};
    std::string unwritten_{};
    std::uint64_t batch_ = 0;
    bool sync_due_ = false;
};

bool is_id(std::string_view s)
{
    return !s.empty() && s.size() <= 128 && std::all_of(s.begin(), s.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '_' || c == '.';
    });
}

bool is_line(std::string_view s)
{
    return std::none_of(s.begin(), s.end(), [](char c) { return c == '\n' || c == '\0'; });
}

asio::awaitable<response> answer(order_book& book, std::string const& password, request const& asked)
{
    auto const where = path(asked);
    if (where == "/healthz")
        co_return reply(http::status::ok, "ok\n");
    if (!password.empty() && view(asked[http::field::authorization]) != "Bearer " + password)
        co_return reply(http::status::unauthorized, "the password is wrong or missing\n");
    if (where == "/orders" && asked.method() == http::verb::get) {
        auto ids = nlohmann::json::array();
        for (auto const& [id, text] : book.orders())
            ids.push_back(id);
        auto const count = ids.size();
        co_return reply(http::status::ok,
            nlohmann::json{{"count", count}, {"ids", std::move(ids)}}.dump() + '\n', "application/json");
    }
    if (!where.starts_with("/orders/"))
        co_return reply(http::status::not_found, "there is /orders, /orders/ID and /healthz\n");
    std::string const id(where.substr(8));
    if (asked.method() == http::verb::get) {
        auto const found = book.orders().find(id);
        if (found == book.orders().end())
            co_return reply(http::status::not_found, "no such order\n");
        co_return reply(http::status::ok, found->second + '\n');
    }
    if (asked.method() != http::verb::put)
        co_return reply(http::status::method_not_allowed, "orders are PUT and got\n");
    if (!is_id(id) || asked.body().size() > 1024 || !is_line(asked.body()))
        co_return reply(http::status::bad_request,
            "an id of letters, digits, '-', '_', '.', and one line of at most 1024 bytes\n");
    auto const status = co_await book.put(id, asked.body());
    co_return reply(status, status == http::status::conflict ? "another order has this id\n" : "stored\n");
}

}  // namespace

int main()
try {
    asio::io_context io(1);
    auto const ip = setting("POD_IP", "127.0.0.1");
    auto const port = setting<std::uint16_t>("PORT", 5432, 1, 65535);
    auto const password = setting("DB_PASSWORD");
    order_book book(io, setting("DATA_DIR", "data"));
    server serving(io, [&](request const& asked) { return answer(book, password, asked); });
    serving.listen(ip, port);
    std::cout << "db: " << book.orders().size() << " orders, listening on " << ip << ':' << port << std::endl;
    io.run();
    std::cout << "db: " << book.orders().size() << " orders, bye" << std::endl;
} catch (std::exception const& e) {
    std::cerr << "db: " << e.what() << std::endl;
    return 1;
}
