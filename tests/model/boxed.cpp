#include <podium/model/boxed.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace model = podium::model;

TEST_CASE("model: copies of a box share one value until one of them changes it")
{
    model::boxed<std::string> const a(std::string("one"));
    auto b = a;
    CHECK(b.same_as(a));
    b.edit() += " and two";
    CHECK(!b.same_as(a));
    CHECK(*a == "one");
    CHECK(*b == "one and two");
}

TEST_CASE("model: a value that nobody shares is changed in place")
{
    model::boxed<std::string> a(std::string("one"));
    auto const* const before = &*a;
    a.edit() = "two";
    CHECK(&*a == before);
}

TEST_CASE("model: boxes compare by value, and none is not an empty one")
{
    CHECK(model::boxed<std::string>(std::string("x")) == model::boxed<std::string>(std::string("x")));
    CHECK(model::boxed<std::string>() != model::boxed<std::string>(std::string()));
    model::boxed<std::string> a(std::string("x"));
    auto const& same = a;
    a = same;
    CHECK(*a == "x");
    a.reset();
    CHECK(!a);
    CHECK(a.edit().empty());
    CHECK(a.has_value());
}

TEST_CASE("model: a shared list reads like a vector and is copied by whoever edits")
{
    model::shared_list<int> const a{1, 2, 3};
    auto b = a;
    CHECK(b.same_as(a));
    b.push_back(4);
    CHECK(a == model::shared_list<int>{1, 2, 3});
    CHECK(b.size() == 4);
    CHECK(b.back() == 4);
    int sum = 0;
    for (int const i : b)
        sum += i;
    CHECK(sum == 10);
    CHECK(model::shared_list<int>{} == model::shared_list<int>(std::vector<int>{}));
    b.clear();
    CHECK(b.empty());
}
