// Prints the objects of a manifest, then everything that is wrong with another, each with its line and field.
#include <podium/model.hpp>
#include <podium/yaml.hpp>

#include <iostream>

int main()
{
    auto const kinds = podium::model::default_scheme();

    auto const good = podium::yaml::read_manifests(R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
  - port: 80
)",
        "good.yaml", kinds);
    for (auto const& m : *good)
        std::cout << kinds.encode(m.object) << '\n';

    auto const bad = podium::yaml::read_manifests(R"(
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    imag: shop/web:1.2
    resources: {limits: {memory: lots}}
  restartPolicy: Sometimes
)",
        "bad.yaml", kinds);
    std::cout << bad.error().text() << '\n';
}
