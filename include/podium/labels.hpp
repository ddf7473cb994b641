#pragma once
/// The room `labels`: requirements, selectors as text and as structure, what two selectors have in common,
/// node selectors, packed label sets, indexes both ways. Needs `core`.

#include <podium/labels/index.hpp>
#include <podium/labels/label_set.hpp>
#include <podium/labels/node_selector.hpp>
#include <podium/labels/overlap.hpp>
#include <podium/labels/requirement.hpp>
#include <podium/labels/selector.hpp>
