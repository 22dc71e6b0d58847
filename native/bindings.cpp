// The module throughtime._native. Each area binds its own functions; arguments are checked there.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <stdexcept>

#include "api.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "trial.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
void bind_loops(nb::module_& m);
void bind_stream(nb::module_& m);
void bind_losses(nb::module_& m);
void bind_pointwise(nb::module_& m);
void bind_vectors(nb::module_& m);
}

NB_MODULE(_native, m) {
    m.doc() = "The native engine of throughtime.";

    m.def("level", [] { return throughtime::api().level; }, "Name of the instruction set in use.");
    m.def(
        "levels",
        [] {
            nb::list names;
            for (auto table = throughtime::levels(); *table != nullptr; ++table)
                names.append((*table)->level);
            return nb::tuple(names);
        },
        "Names of the instruction sets that this machine has, best first.");
    m.def(
        "use_level",
        [](const std::string& name) {
            if (!throughtime::use_level(name.c_str()))
                throw std::invalid_argument("level must be one of levels(); got " + name + ".");
        },
        "name"_a, "Choose the instruction set, before anything is computed.");

    m.def("openmp", &throughtime::openmp, "Whether the threads are OpenMP's.");
    m.def("get_num_threads", &throughtime::threads, "How many threads a call uses.");
    m.def("set_num_threads", &throughtime::set_threads, "n"_a,
          "Choose how many threads a call uses; 0 leaves it to OpenMP.");
    m.def("trim_memory", &throughtime::trim, nb::call_guard<nb::gil_scoped_release>(),
          "Give idle memory back to the system; return how many bytes that were.");

    nb::class_<throughtime::Record>(m, "Record", "What calls took, alone and by a team of threads.")
        .def(nb::init<>())
        .def("next", &throughtime::Record::next, "Whether the next call should be a team's.")
        .def("took", &throughtime::Record::took, "time"_a, "Note how long it took.");

    throughtime::bind_loops(m);
    throughtime::bind_stream(m);
    throughtime::bind_losses(m);
    throughtime::bind_pointwise(m);
    throughtime::bind_vectors(m);

    throughtime::levels();  // throws, and so cannot be imported, where no level can run
}
