// What a compiled code path offers: one region's training, evaluation and gradient, plain pointers only.
//
// Every instruction set compiles the same source (kernel.inc) in a translation unit of its own. Nothing in those
// units may have external linkage but the table below, lest the linker keep an AVX-512 copy of a shared inline
// function for all; so no standard containers cross this interface.
#pragma once
#include <cstddef>
#include <cstdint>

namespace partinr {

enum class Kind { siren, relu, finer, wire, gauss };

// What becomes of the coordinates before the first layer: sines of all waves, then their cosines.
enum class Encoding {
  none,      // the coordinates themselves
  harmonic,  // 0.5 2^k x, octaves k from 0; axis after axis
  projected  // x M, M (dims, waves)
};

struct Network {
  Kind kind;
  Encoding encoding;
  int dims;
  int waves;             // octaves of each axis, or columns of the projection
  const double* turns;   // the projection over pi, (dims, waves), or null
  int features;        // inputs of the first layer
  int channels;        // outputs
  int hidden;          // units of a hidden layer, complex ones for wire
  int hidden_layers;   // first layer included
  const float* omega;  // [hidden_layers]
  const float* scale;  // [hidden_layers], inverse width of gauss and wire
};

// Stacked arrays as the caller holds them, one pointer per layer, region-major.
struct Arrays {
  float* const* weights;  // [layer] -> (regions, fan_in, fan_out)
  float* const* biases;   // [layer] -> (regions, fan_out)
};

// Samples of a lattice, and sums over each of its rows.
struct Row {
  int64_t samples;         // which differ in the last coordinate alone; the same in all rows
  int64_t sums;
  const int64_t* first;    // sum i has the samples from first[i] on,
  const int64_t* offsets;  // with the shares offsets[i] .. offsets[i + 1] - 1
  const float* shares;
  const float* totals;     // of the shares of each sum
};

// Samples and sums of a row, at most.
constexpr int64_t longest_row = 64;

struct Region {
  int64_t index;              // row of the stacked arrays
  int64_t samples;
  const float* coords;        // (samples, dims)
  const float* values;        // (samples, channels)
  const float* importance;    // (samples,), or null for all ones
  const Row* row;             // where sums over rows are meant, not values; or null
  uint64_t key;
  double loss_scale;          // d(loss)/d(sum of squared errors) where all samples are used
};

// Derivatives that go through the layers with the values: those up to `order`, 1 or 2, along some of the coordinates.
struct Directions {
  int order;
  int count;
  const int* axes;  // [count]

  int jets() const { return 1 + order * count; }
};

struct Schedule {
  const float* learning_rates;  // [steps]
  int64_t steps;
  int64_t first_step;
  int64_t batch;  // 0: all samples
  double beta1, beta2, eps;
};

// Threads that may take a share of one region's work.
struct Team {
  // Calls work(context, worker, item) once for each item 0..items-1, on any threads and in any order, each thread
  // with a worker of its own; returns when all have returned.
  void (*share)(Team*, void* own_worker, int64_t items, void (*work)(void* context, void* worker, int64_t item),
                void* context);
};

// Calls work(worker, item) for each item 0..items-1, on the team's threads if there is a team.
template <class Work>
inline void share(Team* team, void* own, int64_t items, Work work) {
  if (!team || items == 1) {
    for (int64_t i = 0; i < items; i++) work(own, i);
    return;
  }
  team->share(
      team, own, items,
      [](void* context, void* worker, int64_t item) { (*static_cast<Work*>(context))(worker, item); }, &work);
}

// Rows of a box's numbers are as long as a multiple of this many.
constexpr int64_t row_unit = 16;
static inline int64_t padded(int64_t size) { return (size + row_unit - 1) / row_unit * row_unit; }

// What a whole number is expected to cost, in bits, by the level of its neighbours' sizes (`level` in spectra_model.h);
// numbers beyond the table cost a little more for each octave.
struct RateModel {
  static constexpr int sizes = 16;
  float cost[24][sizes];
  const uint8_t* level;  // of sums 0..511
};

// In steps: smaller coefficients do not decide how far a spectrum reaches.
constexpr float least_kept = 0.6f;

// Weighted sums of what lies around, over planes of numbers.
struct Convolution {
  int high, wide, fan_in, fan_out;
  const float* weights;  // (high, wide, fan_in, fan_out)
  float slope;           // of the sums, what is passed on of negative ones
};

// Columns of a convolution are computed so many at a time.
constexpr int64_t column_unit = 32;

struct Kernel {
  const char* name;
  // Scratch memory of one thread for networks of one shape; null when memory runs out.
  void* (*create)(const Network&);
  void (*destroy)(void* worker);
  // Pieces that a step of so many samples is cut into, which depends on the network alone: results are the same for
  // any number of threads.
  int (*slices)(const Network&, int64_t samples);
  // Memory that grows with the batch (0: none) and the samples of a step; false when it runs out.
  bool (*reserve)(void* worker, int64_t batch, int64_t samples);
  // Trains in place, returns the steps done: fewer than asked when *stop turned nonzero. No team: alone.
  int64_t (*train)(void* worker, Team*, const Arrays& parameters, const Arrays& first, const Arrays& second,
                   const Region&, const Schedule&, float* losses, const int* stop);
  // Outputs (samples or sums of all rows, channels); returns false when *stop turned nonzero.
  bool (*evaluate)(void* worker, const Arrays& parameters, const Region&, float* out, const int* stop);
  // Values and derivatives (samples, jets, channels): the value, then along one axis after the other its first and, if
  // the order is 2, second derivative; as `evaluate`, but no sums over rows.
  bool (*jets)(void* worker, const Arrays& parameters, const Region&, const Directions&, float* out, const int* stop);
  // Sum of squared errors, and the gradient of loss_scale times it.
  double (*gradient)(void* worker, Team*, const Arrays& parameters, const Region&, const Arrays& gradient);
  // What a least-squares fit of the output layer needs to know of some samples, features being those of the last hidden
  // layer (complex: all real parts, then all imaginary ones) and a one. Adds importance * feature * feature to `gram`
  // (features, features), of which only rows from the diagonal to the left are whole, and importance * feature * value
  // to `moment` (features, channels).
  void (*moments)(void* worker, const Arrays& parameters, const Region&, double* gram, double* moment);
  // For tests: sin and cos of pi x, 2^x, and the samples at positions of a region's stream.
  void (*sincospi)(const float* x, float* sine, float* cosine, int64_t count);
  void (*exp2)(const float* x, float* out, int64_t count);
  bool (*encode)(const Network&, const float* coords, int64_t samples, float* out);
  bool (*stream)(uint64_t key, int64_t count, uint64_t position, int64_t length, uint32_t* out);
  // C (rows, columns) = A (rows, inner) B (inner, columns), with the distances of their rows; columns and the distances
  // of B and C are multiples of `row_unit`.
  void (*multiply)(const float* a, int64_t a_row, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t rows,
                   int64_t inner, int64_t columns);
  // Coefficients of the cosines that are orthonormal on the samples of a box (one channel), rows of `padded` numbers;
  // forward[a] is (size, padded(size)): (frequency, sample) along the first two axes, (sample, frequency) along the last.
  void (*spectrum)(const float* values, const int32_t size[3], const float* const forward[3], float* scratch, float* out);
  // Whole numbers for the coefficients of a box, in units of 1 / per_step, by squared error + lambda * bits, from high
  // frequencies to low. `sizes` is scratch memory. Gives the squared error in steps, and the bits.
  void (*choose)(const float* spectrum, const int32_t size[3], int dims, float per_step, float lambda, const RateModel&,
                 int32_t* sizes, int32_t* chosen, double* distortion, double* rate);
  // out[o](y, x) = sum over dy, dx, i of weights(dy, dx, i, o) in[i](y + dy, x + dx), for whole units of columns: rows
  // and planes of both have room for those.
  void (*convolve)(const Convolution&, const float* in, int64_t in_row, int64_t in_plane, float* out, int64_t out_row,
                   int64_t out_plane, int64_t rows, int64_t columns);
  // Runs independent fused multiply-adds and returns how many floating-point operations they were.
  double (*peak)(int64_t rounds, float* sink);
};

const Kernel* kernel_avx512();  // null where the compiler has no such target
const Kernel* kernel_avx512_bf16();  // hidden layers in bfloat16
const Kernel* kernel_avx2();
const Kernel* kernel_generic();

}  // namespace partinr
