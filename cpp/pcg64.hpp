// SPDX-License-Identifier: MIT
// NumPy's SeedSequence, PCG64 and the Generator draws that the games use, with NumPy's bits. The readable
// specification is python/compute_layers/pcg64.py. Included by the translation units that are compiled once
// per ISA, hence internal linkage throughout. Needs -ffp-contract=off: uniform() must not be fused.
//
// Sources: M. O'Neill, PCG (HMC-CS-2014-0905), PCG XSL RR 128/64; NEP 19 and the documentation of
// numpy.random.SeedSequence (O'Neill's seed_seq_fe128); D. Lemire, "Fast random integer generation in an
// interval" (2019).
#pragma once

#include <cstdint>

#include "batch.hpp"

namespace compute_layers {

__extension__ using Uint128 = unsigned __int128;

constexpr Uint128 kPcgMultiplier = (Uint128{0x2360ED051FC65DA4} << 64) | 0x4385DF649FCCF645;

namespace ISA {
namespace {

inline Uint128 join(uint64_t high, uint64_t low) { return (Uint128{high} << 64) | low; }

// The stream of one lane in registers. Nothing reaches memory before store().
class Pcg64 {
  public:
    Pcg64(uint64_t* stream, int64_t stride, int64_t lane) : column_(stream + lane), stride_(stride) {
        state_ = join(column_[kStateHigh * stride_], column_[kStateLow * stride_]);
        inc_ = join(column_[kIncHigh * stride_], column_[kIncLow * stride_]);
        half_ = column_[kHalf * stride_];
    }

    void store() const {
        column_[kStateHigh * stride_] = static_cast<uint64_t>(state_ >> 64);
        column_[kStateLow * stride_] = static_cast<uint64_t>(state_);
        // After inlining a constant: a game that draws doubles only never touches the field.
        if (half_used_) column_[kHalf * stride_] = half_;
    }

    // For a lane whose draw is to count for nothing if `kept`, without a branch; doubles only.
    void store_unless(bool kept) const {
        const uint64_t mask = -static_cast<uint64_t>(kept);
        const auto put = [&](StreamField field, uint64_t drawn) {
            uint64_t& word = column_[field * stride_];
            word = (word & mask) | (drawn & ~mask);
        };
        put(kStateHigh, static_cast<uint64_t>(state_ >> 64));
        put(kStateLow, static_cast<uint64_t>(state_));
    }

    uint64_t next64() {
        state_ = state_ * kPcgMultiplier + inc_;
        return output(state_);
    }

    // The low half of an output first, the high half by the next call. Masks instead of a branch: whether a
    // half is left over differs from lane to lane, so a branch would be mispredicted (GCC turns `?:` into
    // one).
    uint32_t next32() {
        const uint64_t full = -(half_ >> 32);  // all ones or zero
        const Uint128 next = state_ * kPcgMultiplier + inc_;
        const uint64_t x = output(next);
        const uint64_t value = (half_ & full) | (x & ~full);
        // Word by word: of a mask of 128 bits GCC makes a multiplication.
        const uint64_t high = static_cast<uint64_t>(state_ >> 64), low = static_cast<uint64_t>(state_);
        state_ = join((high & full) | (static_cast<uint64_t>(next >> 64) & ~full),
                      (low & full) | (static_cast<uint64_t>(next) & ~full));
        half_ = (half_ & full & 0xFFFFFFFF) | (((x >> 32) | (uint64_t{1} << 32)) & ~full);
        half_used_ = true;
        return static_cast<uint32_t>(value);
    }

    // What random() gives, in units of 2^-53.
    uint64_t next53() { return next64() >> 11; }
    // What next32() will give in its next calls, all at once, where how many of them count is known only
    // afterwards: a branch on that would be mispredicted, and one by one each would compute an output of its
    // own. take() makes the first `count` of them drawn; at least one, at most 2 * kOutputs.
    template <int kOutputs>
    struct Ahead {
        uint32_t
            half[2 * kOutputs + 1];  // left over from before, then the low and high halves of each output
        uint64_t high[kOutputs], low[kOutputs];  // the state behind each
        int64_t first;                           // 0 if one is left over, else 1

        uint32_t operator[](int64_t k) const { return half[first + k]; }
    };

    template <int kOutputs>
    Ahead<kOutputs> look_ahead() const {
        Ahead<kOutputs> ahead;
        ahead.half[0] = static_cast<uint32_t>(half_);
        ahead.first = static_cast<int64_t>(half_ >> 32 ^ 1);
        Uint128 state = state_;
        for (int k = 0; k < kOutputs; ++k) {
            state = state * kPcgMultiplier + inc_;
            ahead.high[k] = static_cast<uint64_t>(state >> 64);
            ahead.low[k] = static_cast<uint64_t>(state);
            const uint64_t x = output(state);
            __builtin_memcpy(&ahead.half[2 * k + 1], &x, sizeof x);
        }
        return ahead;
    }

    template <int kOutputs>
    void take(const Ahead<kOutputs>& ahead, int64_t count) {
        // `next` is the position of the first one that is not drawn; an even position is a high half.
        const int64_t next = ahead.first + count;
        state_ = join(ahead.high[next / 2 - 1], ahead.low[next / 2 - 1]);
        half_ = uint64_t{(next & 1) == 0} << 32 | ahead.half[next & -2];
        half_used_ = true;
    }

    // In [0, 1), a multiple of 2^-53.
    double random() { return static_cast<double>(static_cast<int64_t>(next53())) * 0x1p-53; }

    double uniform(double low, double high) { return low + ((high - low) * random()); }

    // In [0, n), 1 <= n <= 2^32.
    int64_t integers(int64_t n) {
        if (n == 1) return 0;
        uint64_t m = uint64_t{next32()} * static_cast<uint64_t>(n);
        // For n = 2^32 the low word is 0 and the threshold too: m >> 32 is the raw 32 bits.
        if (static_cast<uint32_t>(m) < static_cast<uint64_t>(n)) {
            const uint64_t threshold =
                ((uint64_t{1} << 32) - static_cast<uint64_t>(n)) % static_cast<uint64_t>(n);
            while (static_cast<uint32_t>(m) < threshold) m = uint64_t{next32()} * static_cast<uint64_t>(n);
        }
        return static_cast<int64_t>(m >> 32);
    }

  private:
    static uint64_t output(Uint128 s) {
        const uint64_t folded = static_cast<uint64_t>(s >> 64) ^ static_cast<uint64_t>(s);
        const unsigned turn = static_cast<unsigned>(s >> 122);
        return (folded >> turn) | (folded << (-turn & 63));
    }

    uint64_t* column_;
    int64_t stride_;
    Uint128 state_;
    Uint128 inc_;
    uint64_t half_;  // has_uint32 << 32 | uinteger
    bool half_used_ = false;
};

constexpr int kPool = 4;         // SeedSequence's pool, 32-bit words
constexpr int kEntropyMax = 8;   // words that seed_words() takes
constexpr int kSeedOutputs = 8;  // 32-bit words of generate_state(4, uint64)

// SeedSequence's hash is keyed by a running power: call k of a run uses at[k] and at[k + 1].
struct HashKeys {
    uint32_t at[kEntropyMax * kPool + 1];
};

constexpr HashKeys hash_keys(uint32_t first, uint32_t factor) {
    HashKeys keys{};
    for (uint32_t& key : keys.at) {
        key = first;
        first *= factor;
    }
    return keys;
}

constexpr HashKeys kMixKeys = hash_keys(0x43B0D7E5, 0x931E8875);
constexpr HashKeys kOutputKeys = hash_keys(0x8B51F9DD, 0x58F38DED);

inline uint32_t seed_hash(uint32_t word, const HashKeys& keys, int k) {
    word = (word ^ keys.at[k]) * keys.at[k + 1];
    return word ^ (word >> 16);
}

inline uint32_t seed_mix(uint32_t x, uint32_t y) {
    const uint32_t mixed = 0xCA01F9DDu * x - 0x4973F715u * y;
    return mixed ^ (mixed >> 16);
}

// Starts the lane's stream as PCG64(SeedSequence(...)) does. `entropy` holds at most kEntropyMax 32-bit
// words: those of the seed, least significant first, then those of the spawn key. Missing words of the pool
// count as zero; a spawn key starts at word kPool or later.
inline void seed_words(uint64_t* stream, int64_t stride, int64_t lane, const uint32_t* entropy, int words) {
    uint32_t pool[kPool];
    int k = 0;
    for (int i = 0; i < kPool; ++i, ++k) pool[i] = seed_hash(i < words ? entropy[i] : 0, kMixKeys, k);
    for (int from = 0; from < kPool; ++from)
        for (int to = 0; to < kPool; ++to)
            if (to != from) pool[to] = seed_mix(pool[to], seed_hash(pool[from], kMixKeys, k++));
    for (int from = kPool; from < words; ++from)
        for (int to = 0; to < kPool; ++to, ++k)
            pool[to] = seed_mix(pool[to], seed_hash(entropy[from], kMixKeys, k));

    uint64_t out[kSeedOutputs / 2];
    for (int i = 0; i < kSeedOutputs / 2; ++i) {
        const uint64_t low = seed_hash(pool[2 * i % kPool], kOutputKeys, 2 * i);
        const uint64_t high = seed_hash(pool[(2 * i + 1) % kPool], kOutputKeys, 2 * i + 1);
        out[i] = high << 32 | low;
    }

    // From state 0 one step gives inc.
    const Uint128 inc = (join(out[2], out[3]) << 1) | 1;
    const Uint128 state = (inc + join(out[0], out[1])) * kPcgMultiplier + inc;
    uint64_t* column = stream + lane;
    column[kStateHigh * stride] = static_cast<uint64_t>(state >> 64);
    column[kStateLow * stride] = static_cast<uint64_t>(state);
    column[kIncHigh * stride] = static_cast<uint64_t>(inc >> 64);
    column[kIncLow * stride] = static_cast<uint64_t>(inc);
    column[kHalf * stride] = 0;
}

// The seed is high << 64 | low.
inline void seed(uint64_t* stream, int64_t stride, int64_t lane, uint64_t low, uint64_t high = 0) {
    const uint32_t words[kPool] = {static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32),
                                   static_cast<uint32_t>(high), static_cast<uint32_t>(high >> 32)};
    seed_words(stream, stride, lane, words, kPool);
}

// SeedSequence(high << 64 | low, spawn_key=(key,)).
inline void seed_spawned(uint64_t* stream, int64_t stride, int64_t lane, uint64_t low, uint64_t high,
                         uint32_t key) {
    const uint32_t words[kPool + 1] = {static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32),
                                       static_cast<uint32_t>(high), static_cast<uint32_t>(high >> 32), key};
    seed_words(stream, stride, lane, words, kPool + 1);
}

}  // namespace
}  // namespace ISA
}  // namespace compute_layers
