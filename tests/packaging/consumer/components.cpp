// Somebody else's program that takes the components too: reads a manifest, in an io_context of its own.
#include <podium/model.hpp>
#include <podium/runtime.hpp>
#include <podium/store.hpp>
#include <podium/yaml.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

int main()
{
    auto const kinds = podium::model::default_scheme();
    std::size_t read = 0;
    boost::asio::io_context loop;
    boost::asio::post(loop, [&] {
        auto const manifests = podium::yaml::read_manifests(
            "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}", "shop.yaml", kinds);
        read = manifests ? manifests->size() : 0;
    });
    loop.run();
    return read == 1 ? 0 : 1;
}
