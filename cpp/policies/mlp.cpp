// SPDX-License-Identifier: MIT
#include "activations.hpp"
#include "layer.hpp"

namespace compute_layers::ISA {
namespace {

constexpr int64_t kTile = 16;   // rows whose weights are packed together
constexpr int64_t kGroup = 16;  // lanes that go through the layers together; of the last group maybe half

// A group's lanes are this many vectors, and this many rows are summed together.
#ifdef __AVX512F__
constexpr int64_t kVectors = 1;
constexpr int64_t kRows = kTile;
#else
constexpr int64_t kVectors = 2;
constexpr int64_t kRows = 4;
#endif
constexpr int64_t kWidth = kGroup / kVectors;
static_assert(kTile % kRows == 0 && kTile == kGroup);

struct alignas(sizeof(float) * kWidth) Wide {
    float at[kWidth];
};

#define EACH_WIDE(i) _Pragma("GCC unroll 1") for (int i = 0; i < static_cast<int>(kWidth); ++i)

// A copy, so that no compiler fears that it is what the sums are written to; as a vector, for GCC copies
// structs in pieces.
template <typename Numbers>
inline Numbers copy_of(const float* x) {
    using View [[gnu::vector_size(sizeof(Numbers)), gnu::may_alias]] = float;
    View view;
    __builtin_memcpy(&view, x, sizeof view);
    Numbers copy;
    *reinterpret_cast<View*>(&copy) = view;
    return copy;
}

constexpr int64_t tiled(int64_t n) { return (n + kTile - 1) / kTile * kTile; }
constexpr int64_t partials(int64_t n) { return (n + kPartials - 1) / kPartials * kPartials; }

// A layer and where its packed weights begin:
//     float[tiled(rows) / kTile][1 + inputs][kTile]    for each tile its biases, then its weights of each
//     input float[rows][1 + partials(inputs) / kPartials][kPartials]    with partial sums: where these begin,
//     (b, 0 …),
//                                              then the weights, at the end -0; the next layer is tiled again
// What a tile has beyond the layer's rows is 0.
struct Layer {
    int64_t inputs, rows;

    bool partial() const { return has_partial_sums(inputs, rows); }
    int64_t packed() const {
        return partial() ? tiled(rows * (kPartials + partials(inputs))) : tiled(rows) * (1 + inputs);
    }
};

inline int64_t layers(const PolicyBatch* b) { return b->tensor_count / 2; }
inline const Tensor& weights(const PolicyBatch* b, int64_t layer) { return b->tensors[2 * layer]; }
inline const Tensor& bias(const PolicyBatch* b, int64_t layer) { return b->tensors[2 * layer + 1]; }
inline Layer layer_of(const PolicyBatch* b, int64_t layer) {
    return {weights(b, layer).columns, weights(b, layer).rows};
}

// Sums of kTaken rows from `tile` on, which may begin within a tile, for a group. x[inputs][kGroup].
template <int64_t kTaken>
inline void sum_rows(int64_t inputs, const float* tile, const float* x, Wide (&sum)[kTaken][kVectors]) {
    for (int64_t r = 0; r < kTaken; ++r) {
        for (int64_t v = 0; v < kVectors; ++v) {
            EACH_WIDE(i) sum[r][v].at[i] = tile[r];
        }
    }
    for (int64_t k = 0; k < inputs; ++k) {
        tile += kTile;
        for (int64_t r = 0; r < kTaken; ++r) {
            const float weight = tile[r];
            for (int64_t v = 0; v < kVectors; ++v) {
                EACH_WIDE(i) {  // vectorised
                    sum[r][v].at[i] = __builtin_fmaf(weight, x[k * kGroup + v * kWidth + i], sum[r][v].at[i]);
                }
            }
        }
    }
}

// y[rows][kGroup] from `row` on.
template <Activation kActivation, int64_t kTaken>
inline void take_rows(int64_t inputs, const float* tile, const float* x, bool last, float* y) {
    Wide sum[kTaken][kVectors];
    sum_rows(inputs, tile, x, sum);
    for (int64_t r = 0; r < kTaken; ++r) {
        for (int64_t v = 0; v < kVectors; ++v) {
            if (!last) {
                EACH_WIDE(i) {  // vectorised
                    sum[r][v].at[i] = activate<kActivation>(sum[r][v].at[i]);
                }
            }
            EACH_WIDE(i) y[r * kGroup + v * kWidth + i] = sum[r][v].at[i];
        }
    }
}

template <Activation kActivation>
inline void take_partial_row(int64_t inputs, const float* row, const float* x, bool last, float* y) {
    for (int64_t v = 0; v < kVectors; ++v) {
        const float* w = row + kPartials;
        const float* own = x + v * kWidth;
        Wide p[kPartials];
        for (int64_t j = 0; j < kPartials; ++j) {
            EACH_WIDE(i) p[j].at[i] = row[j];
        }
        int64_t k = 0;
        for (; k + kPartials <= inputs; k += kPartials, w += kPartials, own += kPartials * kGroup) {
            for (int64_t j = 0; j < kPartials; ++j) {
                const float weight = w[j];
                const Wide feature = copy_of<Wide>(own + j * kGroup);
                EACH_WIDE(i) {  // vectorised
                    p[j].at[i] = __builtin_fmaf(weight, feature.at[i], p[j].at[i]);
                }
            }
        }
        for (int64_t j = 0; j < kPartials; ++j) {
            if (k + j < inputs) {
                const float weight = w[j];
                const Wide feature = copy_of<Wide>(own + j * kGroup);
                EACH_WIDE(i) p[j].at[i] = __builtin_fmaf(weight, feature.at[i], p[j].at[i]);
            }
        }
        EACH_WIDE(i) {  // vectorised
            const float s0 = p[0].at[i] + p[4].at[i], s1 = p[1].at[i] + p[5].at[i];
            const float s2 = p[2].at[i] + p[6].at[i], s3 = p[3].at[i] + p[7].at[i];
            const float sum = (s0 + s2) + (s1 + s3);
            y[v * kWidth + i] = last ? sum : activate<kActivation>(sum);
        }
    }
}

// All layers for a group, from x[inputs][kGroup] on, each writing behind its inputs; returns the last sums.
template <Activation kActivation>
inline const float* through_layers(const PolicyBatch* b, float* x) {
    const float* packed = static_cast<const float*>(b->packed);
    for (int64_t l = 0; l < layers(b); ++l) {
        const Layer layer = layer_of(b, l);
        const bool last = l + 1 == layers(b);
        float* const y = x + tiled(layer.inputs) * kGroup;
        if (layer.partial()) {
            const int64_t stride = kPartials + partials(layer.inputs);
            for (int64_t r = 0; r < layer.rows; ++r) {
                take_partial_row<kActivation>(layer.inputs, packed + r * stride, x, last, y + r * kGroup);
            }
        } else {
            for (int64_t r = 0; r < layer.rows; r += kRows) {
                const float* const tile = packed + r / kTile * kTile * (1 + layer.inputs) + r % kTile;
                if (layer.rows - r <= kRows / 2) {
                    take_rows<kActivation, kRows / 2>(layer.inputs, tile, x, last, y + r * kGroup);
                } else {
                    take_rows<kActivation, kRows>(layer.inputs, tile, x, last, y + r * kGroup);
                }
            }
        }
        packed += layer.packed();
        x = y;
    }
    return x;
}

template <Head kHead, Activation kActivation>
void act(const PolicyBatch* b) {
    const int64_t inputs = b->inputs, rows = rows_of(b);
    float* const x = static_cast<float*>(b->scratch);
    for (int64_t group = 0; group < b->n; group += kGroup) {
        const int64_t end = group + kGroup < b->n ? group + kGroup : b->n;
        for (int64_t lane = group; lane < end; lane += kLanes) {
            transpose_all<kGroup>(static_cast<const float*>(b->observation) + lane * inputs, inputs,
                                  x + (lane - group));
        }
        const float* const sums = through_layers<kActivation>(b, x);
        for (int64_t lane = group; lane < end; lane += kLanes) {
            Decision<kHead> decision;
            for (int64_t r = 0; r < rows; ++r) {
                Vector y;
                EACH(i) y.at[i] = sums[r * kGroup + (lane - group) + i];
                decision.take(b, lane, r, y);
            }
            decision.finish(b, lane);
        }
    }
}

// kTiles tiles of one observation. x[inputs], y[kTiles][kTile].
template <Activation kActivation, int64_t kTiles>
inline void take_tiles(int64_t inputs, const float* packed, const float* x, bool last, float* y) {
    constexpr int64_t kParts = kTile / kWidth;
    const int64_t stride = kTile * (1 + inputs);
    Wide sum[kTiles][kParts];
    for (int64_t t = 0; t < kTiles; ++t) {
        for (int64_t v = 0; v < kParts; ++v) {
            EACH_WIDE(i) sum[t][v].at[i] = packed[t * stride + v * kWidth + i];
        }
    }
    for (int64_t k = 0; k < inputs; ++k) {
        packed += kTile;
        const float feature = x[k];
        for (int64_t t = 0; t < kTiles; ++t) {
            for (int64_t v = 0; v < kParts; ++v) {
                EACH_WIDE(i) {  // vectorised
                    sum[t][v].at[i] =
                        __builtin_fmaf(packed[t * stride + v * kWidth + i], feature, sum[t][v].at[i]);
                }
            }
        }
    }
    for (int64_t t = 0; t < kTiles; ++t) {
        for (int64_t v = 0; v < kParts; ++v) {
            if (!last) {
                EACH_WIDE(i) {  // vectorised
                    sum[t][v].at[i] = activate<kActivation>(sum[t][v].at[i]);
                }
            }
            EACH_WIDE(i) y[t * kTile + v * kWidth + i] = sum[t][v].at[i];
        }
    }
}

inline float partial_row(int64_t inputs, const float* row, const float* x) {
    const float* w = row + kPartials;
    Vector p;
    EACH(j) p.at[j] = row[j];
    int64_t k = 0;
    for (; k + kPartials <= inputs; k += kPartials, w += kPartials, x += kPartials) {
        const Vector weight = copy_of<Vector>(w), feature = copy_of<Vector>(x);
        EACH(j) {  // vectorised
            p.at[j] = __builtin_fmaf(weight.at[j], feature.at[j], p.at[j]);
        }
    }
    for (int64_t j = 0; k + j < inputs; ++j) p.at[j] = __builtin_fmaf(w[j], x[j], p.at[j]);
    const float s0 = p.at[0] + p.at[4], s1 = p.at[1] + p.at[5];
    const float s2 = p.at[2] + p.at[6], s3 = p.at[3] + p.at[7];
    return (s0 + s2) + (s1 + s3);
}

template <Head kHead, Activation kActivation>
void act_single(const PolicyBatch* b) {
    const float* packed = static_cast<const float*>(b->packed);
    const float* x = static_cast<const float*>(b->observation);
    float* y = static_cast<float*>(b->scratch);
    for (int64_t l = 0; l < layers(b); ++l) {
        const Layer layer = layer_of(b, l);
        const bool last = l + 1 == layers(b);
        if (layer.partial()) {
            const int64_t stride = kPartials + partials(layer.inputs);
            for (int64_t r = 0; r < layer.rows; ++r) {
                const float sum = partial_row(layer.inputs, packed + r * stride, x);
                y[r] = last ? sum : activate<kActivation>(sum);
            }
        } else {
            constexpr int64_t kTogether = 4;  // tiles: enough to hide the latency of a sum
            const float* tile = packed;
            int64_t r = 0;
            for (; r + (kTogether - 1) * kTile < layer.rows; r += kTogether * kTile) {
                take_tiles<kActivation, kTogether>(layer.inputs, tile, x, last, y + r);
                tile += kTogether * kTile * (1 + layer.inputs);
            }
            for (; r < layer.rows; r += kTile, tile += kTile * (1 + layer.inputs)) {
                take_tiles<kActivation, 1>(layer.inputs, tile, x, last, y + r);
            }
        }
        packed += layer.packed();
        x = y;
        y += tiled(layer.rows);
    }
    decide<kHead>(b, x, b->action);
}

template <Head kHead, Activation kActivation>
Act* select_rows(bool single) {
    return single ? act_single<kHead, kActivation> : act<kHead, kActivation>;
}

template <Head kHead>
Act* select_activation(int64_t activation, bool single) {
    switch (activation) {
        case kTanh:
            return select_rows<kHead, kTanh>(single);
        case kRelu:
            return select_rows<kHead, kRelu>(single);
        default:
            return select_rows<kHead, kSigmoid>(single);
    }
}

Act* select(const PolicyBatch* policy, bool single) {
    switch (policy->head) {
        case Head::argmax:
            return select_activation<Head::argmax>(policy->choices[0], single);
        case Head::threshold:
            return select_activation<Head::threshold>(policy->choices[0], single);
        case Head::box:
            return select_activation<Head::box>(policy->choices[0], single);
        case Head::vote:
            break;
    }
    return nullptr;
}

Memory plan(const PolicyBatch* policy) {
    Memory floats = {0, 0};
    for (int64_t l = 0; l < layers(policy); ++l) {
        const Layer layer = layer_of(policy, l);
        floats.packed += layer.packed();
        floats.scratch += (tiled(layer.inputs) + (l + 1 == layers(policy) ? tiled(layer.rows) : 0)) * kGroup;
    }
    const int64_t bytes = sizeof(float);
    return {floats.packed * bytes, floats.scratch * bytes};
}

void pack(const PolicyBatch* policy, void* packed) {
    float* to = static_cast<float*>(packed);
    for (int64_t l = 0; l < layers(policy); ++l) {
        const Layer layer = layer_of(policy, l);
        const float* const w = static_cast<const float*>(weights(policy, l).data);
        const float* const b = static_cast<const float*>(bias(policy, l).data);
        const int64_t size = layer.packed(), inputs = layer.inputs;
        for (int64_t i = 0; i < size; ++i) to[i] = 0.0f;
        for (int64_t r = 0; r < layer.rows; ++r) {
            if (layer.partial()) {
                float* const row = to + r * (kPartials + partials(inputs));
                row[0] = b[r];
                for (int64_t k = 0; k < partials(inputs); ++k) {
                    row[kPartials + k] = k < inputs ? w[r * inputs + k] : -0.0f;
                }
            } else {
                float* const column = to + r / kTile * kTile * (1 + inputs) + r % kTile;
                column[0] = b[r];
                for (int64_t k = 0; k < inputs; ++k) column[(1 + k) * kTile] = w[r * inputs + k];
            }
        }
        to += size;
    }
}

}  // namespace

const Policy policies::mlp = {"W, b", "activation", select, plan, pack};

}  // namespace compute_layers::ISA
