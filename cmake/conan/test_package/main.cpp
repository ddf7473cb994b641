// The primitives, and a component that stands on what Conan was told to take from elsewhere.
#include <podium/model/codec.hpp>
#include <podium/model/lease.hpp>
#include <podium/podium.hpp>

int main()
{
    podium::model::lease lease;
    lease.spec.holder_identity = "me";
    auto const back = podium::model::decode_text<podium::model::lease>(podium::model::encode(lease));
    auto const amount = podium::quantity::parse("1.5Gi");
    return back && *back == lease && amount && to_string(*amount) == "1536Mi" ? 0 : 1;
}
