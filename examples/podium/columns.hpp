#pragma once
// What people see of an object in one line of a table, and how a table is set.
#include <podium/core/time.hpp>
#include <podium/model/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using table_row = std::vector<std::string>;

// The headings for a kind by its plural. `wide` adds columns.
table_row headings(std::string_view plural, bool wide);
// The cells of an object as the API shows it. A pod that no node has yet has one cell more than there are
// headings: what keeps it.
table_row cells(
    std::string_view plural, podium::model::json const& object, bool wide, podium::time_point now);

// "45s", "3m12s", "5h", "12d".
std::string age(podium::duration d);
// How long ago a time stamp was.
std::string age(podium::model::json const& stamp, podium::time_point now);

// Sets rows in columns, each as wide as its widest cell and at least as wide as `widths` says, which it
// updates.
std::string set_table(std::vector<table_row> const& rows, std::vector<std::size_t>& widths);

// Bytes that a terminal would obey are made visible.
std::string harmless(std::string_view text);

// At most `width` columns, not cutting a UTF-8 sequence in two.
std::string fitted(std::string text, std::size_t width);
