#pragma once
#include <nanobind/nanobind.h>

namespace partinr {

// Adds the functions that make, code and read spectra to the module.
void bind_spectra(nanobind::module_&);

}  // namespace partinr
