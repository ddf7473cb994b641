// A job says what it needs as manifests do; the amounts add up exactly, and a typing error is an error.
#include <podium/core/quantity.hpp>

#include <iostream>

using podium::quantity;

int main()
{
    quantity memory;
    for (auto const* text : {"1.5Gi", "512Mi", "100M"}) {
        memory = memory.plus(quantity::parse(text).value()).value();
        std::cout << "+ " << text << " = " << to_string(memory) << '\n';
    }
    std::cout << memory.value() << " bytes\n";

    auto const cpu = quantity::parse("0.1").value().times(25).value();
    std::cout << to_string(cpu) << " cores are " << cpu.milli_value() << " milli-cores, or " << cpu.value()
              << " whole ones\n";

    auto const typo = quantity::parse("512MB");
    std::cout << "512MB: " << typo.error().text() << '\n';
}
