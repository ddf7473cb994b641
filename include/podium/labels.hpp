#pragma once
/// The room `labels`: requirements, selectors as text and as structure, node selectors. Needs `core`.

#include <podium/labels/node_selector.hpp>
#include <podium/labels/requirement.hpp>
#include <podium/labels/selector.hpp>
