// The table of one level. Each area defines its constants in its own file.
#include "base/api.hpp"
#include "level/simd.hpp"

#define TT_QUOTE(name) #name
#define TT_NAME_OF(level) TT_QUOTE(level)

namespace throughtime::TT_LEVEL {

extern const Loops<float> loops_f32;
extern const Loops<double> loops_f64;
extern const Vectors<float> vectors_f32;
extern const Vectors<double> vectors_f64;
extern const Optimizers<float> optimizers_f32;
extern const Optimizers<double> optimizers_f64;
extern const Losses<float> losses_f32;
extern const Losses<double> losses_f64;
extern const Pointwises<float> pointwise_f32;
extern const Pointwises<double> pointwise_f64;
extern const Scans<float> scans_f32;
extern const Scans<double> scans_f64;
extern const OptionLoops<float> options_f32;
extern const OptionLoops<double> options_f64;
extern const Paths<float> paths_f32;
extern const Paths<double> paths_f64;
extern const Rolling rolling;

namespace {
constexpr Api table{
    TT_NAME_OF(TT_LEVEL),
    vector_bytes,
    {&loops_f32, &loops_f64},
    {&vectors_f32, &vectors_f64},
    {&optimizers_f32, &optimizers_f64},
    {&losses_f32, &losses_f64},
    {&pointwise_f32, &pointwise_f64},
    {&scans_f32, &scans_f64},
    {&options_f32, &options_f64},
    {&paths_f32, &paths_f64},
    &rolling,
};
}

const Api* table_of_level() { return &table; }

}  // namespace throughtime::TT_LEVEL
