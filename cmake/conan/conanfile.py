# conan create cmake/conan : podium as a Conan package; the version is read from podium/version.hpp.
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class PodiumConan(ConanFile):
    name = "podium"
    license = "BSL-1.0"
    description = "Container orchestration as a header-only C++20 library"
    topics = ("orchestration", "scheduler", "reconciler", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    implements = ["auto_header_only"]
    no_copy_source = True
    # Primitives alone need neither; a component that is asked for and has no library says what to turn on.
    options = {"system": [True, False], "yaml": [True, False]}
    default_options = {"system": True, "yaml": True}

    @property
    def _root(self):
        return os.path.normpath(os.path.join(self.recipe_folder, "..", ".."))

    def export(self):
        copy(self, "version.hpp", os.path.join(self._root, "include/podium"), self.export_folder)

    def export_sources(self):  # the recipe lives two folders below the sources
        for pattern in ("CMakeLists.txt", "include/*", "cmake/*.cmake", "cmake/*.in", "LICENSE"):
            copy(self, pattern, self._root, self.export_sources_folder, excludes=("cmake/conan/*", "cmake/vcpkg/*"))

    def set_version(self):
        exported = os.path.join(self.recipe_folder, "version.hpp")
        header = exported if os.path.exists(exported) else os.path.join(self._root, "include/podium/version.hpp")
        text = load(self, header)
        self.version = ".".join(
            re.search(rf"PODIUM_VERSION_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR", "PATCH"))

    def requirements(self):
        if self.options.system:
            self.requires("boost/[>=1.81 <2]", transitive_headers=True)
            self.requires("nlohmann_json/[>=3.11 <4]", transitive_headers=True)
        if self.options.yaml:
            self.requires("yaml-cpp/[>=0.7 <1]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "EXAMPLES", "BENCH"):
            toolchain.cache_variables[f"PODIUM_BUILD_{part}"] = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        # podium's own podiumConfig.cmake has the components: one source of truth for targets.
        self.cpp_info.bindirs = self.cpp_info.libdirs = []
        self.cpp_info.builddirs = ["share/cmake/podium"]
        self.cpp_info.set_property("cmake_find_mode", "none")
