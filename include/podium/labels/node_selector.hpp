#pragma once
/// Node selectors: terms of which one must match, each on a node's labels and on its fields.
///
/// A term that is wrong matters only if no other term matches: the pod of an old manifest still finds
/// the nodes that its good terms name. An empty term selects nothing.
///
/// Source: Kubernetes v1.35.4, component-helpers scheduling/corev1/nodeaffinity.

#include <podium/labels/requirement.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::labels {

/// One term, not checked yet: all expressions must hold. Fields take In and NotIn with one value.
struct node_selector_term {
    std::vector<expression> match_expressions{};  ///< on the node's labels
    std::vector<expression> match_fields{};       ///< on the node's fields: "metadata.name"
    friend bool operator==(node_selector_term const&, node_selector_term const&) = default;
};

/// The fields of a node that terms may name.
[[nodiscard]] inline std::array<std::pair<std::string_view, std::string_view>, 1> node_fields(
    std::string_view name)
{
    return {{{"metadata.name", name}}};
}

/// The terms, parsed once; matching allocates nothing.
class node_selector {
public:
    node_selector() = default;
    explicit node_selector(std::span<node_selector_term const> terms)
    {
        for (std::size_t i = 0; i < terms.size(); ++i)
            if (!terms[i].match_expressions.empty() || !terms[i].match_fields.empty())
                terms_.push_back(term_of(terms[i], "nodeSelectorTerms[" + std::to_string(i) + ']'));
    }

    /// Whether every term is right; all errors, with their paths from "nodeSelectorTerms[0]" on.
    [[nodiscard]] result<void> valid() const
    {
        found_errors found;
        for (auto const& t : terms_)
            if (t.wrong.all)
                found.add(*t.wrong.all);
        if (found.all)
            return *std::move(found.all);
        return {};
    }

    /// Whether some term matches; the first error if none does and some are wrong. A node without fields
    /// is not asked for them.
    template<LabelSet Labels, LabelSet Fields>
    [[nodiscard]] result<bool> matches(Labels const& labels, Fields const& fields) const
    {
        error const* wrong = nullptr;
        for (auto const& t : terms_) {
            if (!t.wrong.all && t.matches(labels, fields))
                return true;
            if (t.wrong.all && !wrong)
                wrong = &*t.wrong.all;
        }
        if (wrong)
            return *wrong;
        return false;
    }
    /// By the node's labels and name.
    template<LabelSet Labels>
    [[nodiscard]] result<bool> matches_node(Labels const& labels, std::string_view name) const
    {
        if (name.empty())
            return matches(labels, std::span<std::pair<std::string_view, std::string_view> const>{});
        return matches(labels, node_fields(name));
    }

    friend bool operator==(node_selector const&, node_selector const&) = default;

private:
    struct field_requirement {
        std::string key{};
        std::string value{};
        bool equal = true;
        friend bool operator==(field_requirement const&, field_requirement const&) = default;
    };
    struct term {
        std::vector<requirement> labels{};
        std::vector<field_requirement> fields{};
        found_errors wrong{};

        template<class Labels, class Fields>
        [[nodiscard]] bool matches(Labels const& l, Fields const& f) const
        {
            for (auto const& r : labels)
                if (!r.matches(l))
                    return false;
            if (f.begin() == f.end())
                return true;
            for (auto const& r : fields)  // a field that is not there is an empty one
                if ((detail::value_of(f, r.key).value_or("") == r.value) != r.equal)
                    return false;
            return true;
        }
        friend bool operator==(term const&, term const&) = default;
    };

    [[nodiscard]] static term term_of(node_selector_term const& from, std::string const& where)
    {
        term out;
        auto const add = [&](error e, std::string const& field, std::size_t i) {
            out.wrong.add(std::move(e).inside(where + '.' + field + '[' + std::to_string(i) + ']'));
        };
        for (std::size_t i = 0; i < from.match_expressions.size(); ++i) {
            auto e = from.match_expressions[i];
            if (e.operator_ == op::equals || e.operator_ == op::double_equals ||
                e.operator_ == op::not_equals)
                e.operator_ = op::unknown;
            if (auto r = requirement::make(std::move(e)))
                out.labels.push_back(*std::move(r));
            else
                add(std::move(r).error(), "matchExpressions", i);
        }
        for (std::size_t i = 0; i < from.match_fields.size(); ++i) {
            auto const& e = from.match_fields[i];
            if (e.operator_ != op::in && e.operator_ != op::not_in)
                add({errc::invalid, "must be one of In, NotIn", "operator"}, "matchFields", i);
            else if (e.values.size() != 1)
                add({errc::invalid, "must have exactly one value", "values"}, "matchFields", i);
            else
                out.fields.push_back({e.key, e.values[0], e.operator_ == op::in});
        }
        return out;
    }

    std::vector<term> terms_{};
};

}  // namespace podium::v0::labels
