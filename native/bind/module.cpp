// The module throughtime._native. Each area binds its own functions, which check their arguments.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <stdexcept>

#include "base/api.hpp"
#include "base/memory.hpp"
#include "base/parallel.hpp"
#include "base/trial.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {

void bind_loops(nb::module_& m);
void bind_losses(nb::module_& m);
void bind_optimizers(nb::module_& m);
void bind_options(nb::module_& m);
void bind_paths(nb::module_& m);
void bind_pointwise(nb::module_& m);
void bind_rolling(nb::module_& m);
void bind_scan(nb::module_& m);
void bind_stream(nb::module_& m);
void bind_vectors(nb::module_& m);

namespace {

void bind_base(nb::module_& m) {
    m.def("level", [] { return api().level; }, "Return the name of the instruction set in use.");
    m.def(
        "levels",
        [] {
            nb::list names;
            for (auto table = levels(); *table != nullptr; ++table) names.append((*table)->level);
            return nb::tuple(names);
        },
        "Return the names of the instruction sets that this machine has, best first.");
    m.def(
        "use_level",
        [](const std::string& name) {
            if (!use_level(name.c_str()))
                throw std::invalid_argument("level must be one of levels(); got " + name + ".");
        },
        "name"_a, "Choose the instruction set, before anything is computed.");

    m.def("openmp", &openmp, "Return whether the threads are OpenMP's.");
    m.def("get_num_threads", &threads, "Return how many threads a call may use.");
    m.def("set_num_threads", &set_threads, "n"_a,
          "Choose how many threads a call may use; 0 leaves it to OpenMP.");
    m.def("trim_memory", [] { return without_gil(trim); },
          "Give idle memory back to the system; return how many bytes that were.");

    nb::class_<Record>(m, "Record", "How long calls take, with one thread and with a team of them.")
        .def(nb::init<>())
        .def("next", &Record::next, "Return whether a team should make the next call.")
        .def("took", &Record::took, "time"_a, "Note how long the call took.");
}

}  // namespace
}  // namespace throughtime

NB_MODULE(_native, m) {
    using namespace throughtime;
    m.doc() = "The native engine of throughtime.";
    // A daemon thread that the end of the interpreter stops never gives back what it holds.
    nb::set_leak_warnings(false);

    bind_base(m);
    bind_loops(m);
    bind_losses(m);
    bind_optimizers(m);
    bind_options(m);
    bind_paths(m);
    bind_pointwise(m);
    bind_rolling(m);
    bind_scan(m);
    bind_stream(m);
    bind_vectors(m);

    levels();  // throws if no level can run here, so that the import fails
}
