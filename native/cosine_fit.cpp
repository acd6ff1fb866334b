// Output layers of cosines by least squares. Where samples fill a box and their weights are a product over the axes, so
// is the solution's operator; without weights it is the DCT-II: Ahmed, Natarajan, Rao, "Discrete cosine transform",
// IEEE Transactions on Computers, 1974. Frequencies that samples do not tell apart from lower ones are left out.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include "cosine.h"
#include "readout.h"

namespace partinr {
namespace {

// The samples of one region: its box, and the place of each sample in it.
struct Box {
  int64_t n[3], count, samples;
  std::vector<int64_t> place;  // (samples,) in raster order of the box

  Box(const Region& region, int64_t dims, const int64_t* extents) : n{1, 1, 1}, count(1), samples(region.samples) {
    for (int64_t a = 0; a < dims; a++) count *= n[3 - dims + a] = std::max<int64_t>(1, extents[a]);
    place.resize(static_cast<size_t>(samples));
    for (int64_t i = 0; i < samples; i++) {
      int64_t at = 0;
      for (int64_t a = 0; a < dims; a++) {
        const int64_t side = n[3 - dims + a];
        const double u = region.coords[i * dims + a], index = (u + 1) * static_cast<double>(side) / 2 - 0.5;
        at = at * side + std::clamp<int64_t>(std::llrint(index), 0, side - 1);
      }
      place[i] = at;
    }
  }

  // Whether the samples fill the box.
  bool full() const {
    if (samples != count) return false;
    std::vector<bool> seen(static_cast<size_t>(count));
    for (const int64_t at : place) {
      if (seen[static_cast<size_t>(at)]) return false;
      seen[static_cast<size_t>(at)] = true;
    }
    return true;
  }

  // The samples' weights as a product over the axes; none where they are none.
  bool factors(const float* importance, std::vector<double> (&along)[3]) const {
    double total = 0, most = 0;
    for (int a = 0; a < 3; a++) along[a].assign(static_cast<size_t>(n[a]), importance ? 0.0 : 1.0);
    if (!importance) return true;
    const auto index = [&](int64_t at, int64_t (&i)[3]) {
      i[2] = at % n[2], i[1] = at / n[2] % n[1], i[0] = at / n[2] / n[1];
    };
    int64_t i[3];
    for (int64_t s = 0; s < samples; s++) {
      const double weight = importance[s];
      index(place[s], i);
      for (int a = 0; a < 3; a++) along[a][i[a]] += weight;
      total += weight;
      most = std::max(most, weight);
    }
    if (!(total > 0)) return false;
    for (auto& axis : along)
      for (double& weight : axis) weight /= total;
    for (int64_t s = 0; s < samples; s++) {
      index(place[s], i);
      double product = total;
      for (int a = 0; a < 3; a++) product *= along[a][i[a]];
      if (!(std::abs(product - importance[s]) <= 1e-5 * most)) return false;
    }
    for (const auto& axis : along)
      for (const double weight : axis)
        if (!(weight > 0)) return false;
    return true;
  }
};

// Coordinates of the samples along a side of a box.
std::vector<double> middles(int64_t n) {
  std::vector<double> u(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i++) u[i] = static_cast<double>(2 * i + 1) / static_cast<double>(n) - 1;
  return u;
}

// What takes values along an axis to the weights of the frequencies that its samples tell apart, (frequencies, n).
std::vector<double> projection(int64_t frequencies, int64_t n, const std::vector<double>& weights) {
  const int64_t m = std::min(frequencies, n);
  std::vector<double> cosine(static_cast<size_t>(m * n));
  cosines(middles(n).data(), n, m, cosine.data());
  if (std::all_of(weights.begin(), weights.end(), [&](double w) { return w == weights[0]; })) {
    for (int64_t k = 0; k < m; k++)
      for (int64_t i = 0; i < n; i++) cosine[k * n + i] *= (k ? 2.0 : 1.0) / static_cast<double>(n);
    return cosine;
  }
  std::vector<double> gram(static_cast<size_t>(m * m)), sides(cosine);
  for (int64_t k = 0; k < m; k++)
    for (int64_t i = 0; i < n; i++) sides[k * n + i] *= weights[i];
  for (int64_t k = 0; k < m; k++)
    for (int64_t j = 0; j <= k; j++) {
      double sum = 0;
      for (int64_t i = 0; i < n; i++) sum += sides[k * n + i] * cosine[j * n + i];
      gram[k * m + j] = sum;
    }
  solve(gram.data(), sides.data(), m, n, 0);
  return sides;
}

// What is solved for in a region: frequencies along each axis, and their products, the constant's last.
struct Unknowns {
  int64_t m[3], count = 1;

  Unknowns(const Cosines& net, const Box& box) {
    for (int a = 0; a < 3; a++) count *= m[a] = std::min(net.along(a), box.n[a]);
  }

  // Row of each product among those of the whole network, the constant's last.
  int64_t row(const Cosines& net, int64_t at) const {
    const int64_t k = at % m[2], j = at / m[2] % m[1], i = at / m[2] / m[1];
    const int64_t whole = (i * net.along(1) + j) * net.along(2) + k;
    return whole ? whole - 1 : net.products() - 1;
  }
};

void transform(const Cosines& net, const Region& region, const Box& box, const std::vector<double> (&along)[3],
               float* out) {
  const int64_t channels = net.channels;
  std::vector<double> from(static_cast<size_t>(box.count * channels)), to;
  for (int64_t s = 0; s < box.samples; s++)
    std::copy_n(region.values + s * channels, channels, from.data() + box.place[s] * channels);
  // The first axis first, of an array (outer, n, inner).
  int64_t outer = 1, inner = box.count * channels;
  const Unknowns unknowns(net, box);
  for (int a = 0; a < 3; a++) {
    const int64_t n = box.n[a], m = unknowns.m[a];
    inner /= n;
    const std::vector<double> matrix = projection(net.along(a), n, along[a]);
    to.assign(static_cast<size_t>(outer * m * inner), 0);
    for (int64_t o = 0; o < outer; o++)
      for (int64_t k = 0; k < m; k++) {
        double* const sum = to.data() + (o * m + k) * inner;
        for (int64_t i = 0; i < n; i++) {
          const double factor = matrix[k * n + i];
          const double* const value = from.data() + (o * n + i) * inner;
          for (int64_t x = 0; x < inner; x++) sum[x] += factor * value[x];
        }
      }
    from.swap(to);
    outer *= m;
  }
  for (int64_t at = 0; at < unknowns.count; at++)
    for (int64_t c = 0; c < channels; c++)
      out[unknowns.row(net, at) * channels + c] = static_cast<float>(from[at * channels + c]);
}

// Adds what the normal equations have of some samples: the lower left of `gram` (unknowns, unknowns), the constant
// last, and `moment` (unknowns, channels).
void accumulate(const Cosines& net, const Region& region, const Unknowns& unknowns, int64_t first, int64_t end,
                double* gram, double* moment) {
  constexpr int64_t block = 4;
  const int64_t size = unknowns.count, channels = net.channels, dims = net.dims;
  std::vector<double> rows(static_cast<size_t>(block * size)), weighted(rows.size());
  std::vector<double> table[3];
  for (int a = 0; a < 3; a++) table[a].resize(static_cast<size_t>(unknowns.m[a]));
  for (int64_t start = first; start < end; start += block) {
    std::fill(rows.begin(), rows.end(), 0.0);
    std::fill(weighted.begin(), weighted.end(), 0.0);
    const int64_t points = std::min(block, end - start);
    for (int64_t p = 0; p < points; p++) {
      const int64_t s = start + p;
      const double weight = region.importance ? region.importance[s] : 1.0;
      for (int64_t a = 0; a < 3; a++) {
        const double u = a < 3 - dims ? 0.0 : region.coords[s * dims + a - (3 - dims)];
        cosines(&u, 1, unknowns.m[a], table[a].data());
      }
      double* const row = rows.data() + p * size;
      int64_t at = 0;
      for (const double x : table[0])
        for (const double y : table[1])
          for (const double z : table[2]) row[at++] = x * y * z;
      std::rotate(row, row + 1, row + size);
      double* const own = weighted.data() + p * size;
      for (int64_t i = 0; i < size; i++) own[i] = weight * row[i];
      for (int64_t i = 0; i < size; i++)
        for (int64_t c = 0; c < channels; c++) moment[i * channels + c] += own[i] * region.values[s * channels + c];
    }
    const double *const r0 = rows.data(), *const r1 = r0 + size, *const r2 = r1 + size, *const r3 = r2 + size;
    for (int64_t i = 0; i < size; i++) {
      const double a = weighted[i], b = weighted[size + i];
      const double c = weighted[2 * size + i], d = weighted[3 * size + i];
      double* const sum = gram + i * size;
      for (int64_t j = 0; j <= i; j++) sum[j] += (a * r0[j] + b * r1[j]) + (c * r2[j] + d * r3[j]);
    }
  }
}

// Large regions are cut into pieces whose sums are added in order, so that threads can share them: few where each piece
// has many sums.
int64_t pieces_of(int64_t samples, int64_t size) {
  return std::clamp<int64_t>(samples >> 10, 1, std::clamp<int64_t>((1 << 24) / (size * size), 1, 8));
}

}  // namespace

void solve_readout(const Cosines& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
                   const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets, double ridge,
                   const std::optional<Array<const float, 1>>& sample_weights,
                   const std::optional<Array<const int64_t, 2>>& extents, int threads, const Array<float, 3>& out) {
  const int64_t count = regions_of(biases), channels = net.channels, dims = net.dims, all = net.products();
  const Stack parameters(net.layer_shapes(), weights, biases, count, "parameters");
  Packed packed(dims, channels, coords, offsets, count);
  packed.with_values(values);
  packed.with_importance(sample_weights);
  check_threads(threads);
  if (!(ridge > 0)) refuse("ridge must be above 0, got " + std::to_string(ridge));
  if (!extents) refuse("cosines need the extents of the regions");
  expect(*extents, {count, dims}, "extents");
  expect(out, {count, all, channels}, "out");
  const int64_t* const extent_at = extents->data();
  float* const out_at = out.data();
  const auto poll = poller(nb::none());
  const nb::gil_scoped_release unlocked;
  int64_t pieces = 0;
  for (int64_t r = 0; r < count; r++) pieces += pieces_of(packed.region(r).samples, 1);
  run(
      count, std::min<int64_t>(threads, pieces),
      [&](void* worker, Team* team, int64_t item, const int*) {
        const Region region = packed.region(item);
        float* const found = out_at + item * all * channels;
        std::fill_n(found, all * channels, 0.0f);
        const Box box(region, dims, extent_at + item * dims);
        std::vector<double> along[3];
        if (box.full() && box.factors(region.importance, along)) return transform(net, region, box, along, found);
        const Unknowns unknowns(net, box);
        const int64_t size = unknowns.count, shares = pieces_of(region.samples, size), sums = size * (size + channels);
        std::vector<double> normal(static_cast<size_t>(shares * sums));
        share(team, worker, shares, [&](void*, int64_t i) {
          double* const gram = normal.data() + i * sums;
          accumulate(net, region, unknowns, region.samples * i / shares, region.samples * (i + 1) / shares, gram,
                     gram + size * size);
        });
        for (int64_t i = sums; i < shares * sums; i++)
          normal[i % sums] += normal[i];
        double* const sides = normal.data() + size * size;
        solve(normal.data(), sides, size, channels, ridge);
        for (int64_t at = 0; at < size; at++) {
          const double* const side = sides + (at ? at - 1 : size - 1) * channels;
          std::transform(side, side + channels, found + unknowns.row(net, at) * channels,
                         [](double x) { return static_cast<float>(x); });
        }
      },
      poll);
}

}  // namespace partinr
