#include <podium/core/names.hpp>

#include <doctest/doctest.h>
#include <string>

namespace names = podium::names;

TEST_CASE("core: each kind of name has its rule")
{
    struct row {
        char const* rule;
        podium::result<void> (*check)(std::string_view);
        std::initializer_list<char const*> right, wrong;
    };
    for (auto const& r : {
             row{"dns1123_label", names::dns1123_label, {"a", "web-1", "1a"},
                 {"", "-a", "a-", "A", "a.b", "a\n", "é"}},
             row{"dns1123_subdomain", names::dns1123_subdomain, {"a", "a.b-c.1"},
                 {"", ".a", "a.", "a..b", "a_b"}},
             row{"dns1035_label", names::dns1035_label, {"a1", "ht-tp"}, {"", "1a", "80", "A"}},
             row{"wildcard", names::wildcard_dns1123_subdomain, {"*.a"}, {"*", "*.", "a", "*.*.a", "a.*.b"}},
             row{"label_key", names::label_key, {"a", "A_b.c", "a.b/C_d.e", "1"},
                 {"", "/a", "a/", "a/b/c", "A.b/c", "_a"}},
             row{"label_value", names::label_value, {"", "a", "A-b_c.1"}, {"-a", "a.", "a/b", "a b"}},
             row{"config_map_key", names::config_map_key, {"app.conf", "_a-", ".a"},
                 {"", ".", "..", "..a", "a/b"}},
             row{"env_var_name", names::env_var_name, {"A_B", "a.b-c", "_"}, {"", "1A", "a=b", "..a"}},
             row{"http token", names::http_token, {"seen", "X-Visitor", "a_b.c~!"},
                 {"", "two words", "a=b", "a;b", "a:b", "\"a\"", "\xc3\xa4"}},
             row{"percent", names::percent, {"0%", "150%"}, {"", "%", "-1%", "1.5%", "5"}},
             row{"port_name", names::port_name, {"http", "1a", "a-b"},
                 {"", "80", "a--b", "-a", "HTTP", "abcdefghijklmnop"}},
         }) {
        CAPTURE(r.rule);
        for (std::string_view const text : r.right) {
            CAPTURE(text);
            CHECK(r.check(text).has_value());
        }
        for (std::string_view const text : r.wrong) {
            CAPTURE(text);
            REQUIRE_FALSE(r.check(text).has_value());
            CHECK(r.check(text).error().code == podium::errc::invalid);
        }
    }
}

TEST_CASE("core: names are as long as they may be and no longer")
{
    std::string const label(63, 'a'), subdomain = std::string(253, 'a');
    CHECK(names::dns1123_label(label));
    CHECK_FALSE(names::dns1123_label(label + 'a'));
    CHECK(names::dns1123_subdomain(subdomain));
    CHECK_FALSE(names::dns1123_subdomain(subdomain + 'a'));
    CHECK(names::label_key(subdomain + '/' + label));
    CHECK_FALSE(names::label_key(subdomain + "a/" + label));
    CHECK_FALSE(names::label_key(subdomain + '/' + label + 'a'));
    CHECK(names::label_value(label));
    CHECK_FALSE(names::label_value(label + 'a'));
}

TEST_CASE("core: an error about a name does not repeat the name")
{
    auto const r = names::label_value("s3cr3t!");
    REQUIRE_FALSE(r);
    CHECK(r.error().text().find("s3cr3t") == std::string::npos);
}

TEST_CASE("core: hostile text is no name, and the error about it is short")
{
    std::size_t const many = 10'000'000;
    for (auto const rule : {names::dns1123_label, names::dns1123_subdomain, names::dns1035_label,
             names::wildcard_dns1123_subdomain, names::label_key, names::label_value, names::config_map_key,
             names::env_var_name, names::http_token, names::percent, names::port_name})
        for (auto const& text : {std::string(many, '.'), std::string(many, '/'),
                 "a\n" + std::string(many, 'a'), std::string(many, '*'), std::string("a\0", 2),
                 std::string(1, '\0'), std::string("\xc3\x28"), std::string("a\xff")}) {
            CAPTURE(text.substr(0, 10));
            auto const r = rule(text);
            REQUIRE_FALSE(r);
            CHECK(r.error().code == podium::errc::invalid);
            CHECK(r.error().text().size() < 500);
        }
}
