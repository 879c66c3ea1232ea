// SPDX-License-Identifier: MIT
// Python's view of the native core: one class for the batches of all games, one for all policies.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <sstream>

#include "build.hpp"
#include "cpu.hpp"
#include "float_mode.hpp"
#include "learning.hpp"
#include "numerics.hpp"
#include "pcg64.hpp"
#include "player.hpp"
#include "registry.hpp"
#include "rollout.hpp"
#include "search.hpp"
#include "stepper.hpp"
#include "sweeps.hpp"

namespace py = pybind11;

namespace compute_layers {

namespace {

constexpr const char* kIsaNames[kIsas] = {"baseline", "avx2", "avx512", "neon"};

std::string text(const py::handle& object) { return py::str(object).cast<std::string>(); }

std::string type_name(const py::handle& object) { return text(py::type::of(object).attr("__name__")); }

std::vector<std::string> split(const char* names, char separator) {
    std::vector<std::string> parts;
    std::stringstream stream(names);
    for (std::string part; std::getline(stream, part, separator);) {
        const size_t first = part.find_first_not_of(' ');
        if (first != std::string::npos) parts.push_back(part.substr(first));
    }
    return parts;
}

int isa_index(const std::string& isa) {
    for (int i = 0; i < kIsas; ++i) {
        if (isa == kIsaNames[i]) return i;
    }
    throw py::value_error("isa is '" + isa + "'; allowed: baseline, avx2, avx512, neon");
}

template <typename Entry>
const Entry& find(const Entry* entries, int count, const std::string& stem) {
    for (int i = 0; i < count; ++i) {
        if (stem == entries[i].stem) return entries[i];
    }
    throw py::key_error("'" + stem + "' is not in the registry");
}

// ---- level python: the same batches, seen through memoryviews ----

struct BatchView {
    Batch batch;
    Shape shape;
};

struct PolicyView {
    PolicyBatch batch;
    Shape shape;
};

template <typename T>
py::memoryview flat(T* data, int64_t count) {
    static T nothing{};
    if (!data) data = &nothing;  // a game without options
    return py::memoryview::from_buffer(data, {count}, {static_cast<py::ssize_t>(sizeof(T))});
}

py::memoryview numbers(const void* data, bool integers, int64_t count) {
    void* const writable = const_cast<void*>(data);
    if (integers) return flat(static_cast<int64_t*>(writable), count);
    return flat(static_cast<float*>(writable), count);
}

// A TdStep as level python sees it.
struct TdView {
    TdStep step;
};

// Its array of a number for each valid lane.
template <typename T>
py::memoryview each(const TdView& view, const T* data) {
    return flat(const_cast<T*>(data), view.step.valid);
}

class PythonGame final : public GameLevel {
  public:
    PythonGame(py::object rules, const Shape& shape) : rules_(std::move(rules)), shape_(shape) {}
    ~PythonGame() override {
        const py::gil_scoped_acquire lock;
        rules_ = py::object();
    }
    bool native() const override { return false; }
    void prepare(const Batch&, bool) override {}
    void step(const Batch& batch) override {
        const py::gil_scoped_acquire lock;
        rules_.attr("step")(BatchView{batch, shape_});
    }
    void reset(const Batch& batch, const int64_t* lanes, int64_t count, const double* options) override {
        const py::gil_scoped_acquire lock;
        // Valid lanes only: padding is nobody's episode.
        const std::vector<int64_t> list(lanes, lanes + count);
        rules_.attr("reset")(BatchView{batch, shape_}, list,
                             flat(const_cast<double*>(options), shape_.options));
    }
    void observe(const Batch& batch, const int64_t* lanes, int64_t count) override {
        const py::gil_scoped_acquire lock;
        rules_.attr("observe")(BatchView{batch, shape_}, std::vector<int64_t>(lanes, lanes + count));
    }

  private:
    py::object rules_;
    const Shape shape_;
};

class PythonPolicy final : public PolicyLevel {
  public:
    PythonPolicy(py::object rule, const Shape& shape) : rule_(std::move(rule)), shape_(shape) {}
    ~PythonPolicy() override {
        const py::gil_scoped_acquire lock;
        rule_ = py::object();
    }
    bool native() const override { return false; }
    Memory plan(const PolicyBatch&) const override { return {0, 0}; }
    void prepare(const PolicyBatch&, void*) override {}
    bool takes_single_rows() const override { return false; }
    void act(const PolicyBatch& batch) override {
        const py::gil_scoped_acquire lock;
        rule_(PolicyView{batch, shape_});
    }

  private:
    py::object rule_;
    const Shape shape_;
};

class PythonSearch final : public SearchLevel {
  public:
    PythonSearch(py::object rule, const Shape& shape, const SearchSettings& settings)
        : rule_(std::move(rule)), shape_(shape), horizon_(settings.horizon) {}
    ~PythonSearch() override {
        const py::gil_scoped_acquire lock;
        rule_ = py::object();
    }
    bool native() const override { return false; }
    void plan(const double* root, bool goes_on, void* plan, uint64_t* stream, int64_t stride,
              int64_t lane) override {
        const py::gil_scoped_acquire lock;
        double* const state = const_cast<double*>(root);
        rule_(flat(state, shape_.fields), flat(reinterpret_cast<int64_t*>(state), shape_.fields), goes_on,
              numbers(plan, shape_.actions > 0, horizon_ * shape_.action),
              flat(stream, (kStreamFields - 1) * stride + lane + 1), stride, lane);
    }

  private:
    py::object rule_;
    const Shape shape_;
    const int64_t horizon_;
};

// rules is None for a native level.
std::unique_ptr<GameLevel> make_game(const std::string& stem, const std::string& level,
                                     const std::optional<std::string>& isa, const py::object& rules,
                                     const Shape& shape) {
    if (level == "python") return std::make_unique<PythonGame>(rules, shape);
    const int i = isa_index(isa.value());
    const std::string reason = missing(static_cast<Isa>(i));
    if (!reason.empty()) throw std::runtime_error(reason);
    const GameEntry& entry = find(kGames, kGameCount, stem);
    if (level == "cpp" && entry.cpp[i])
        return std::make_unique<NativeGame>(*entry.cpp[i], entry.cpp[i]->select);
    if (level == "asm" && entry.assembly[i]) {
        const Game* const shared = entry.cpp[i] ? entry.cpp[i] : entry.cpp[0];
        return std::make_unique<NativeGame>(*shared, entry.assembly[i]);
    }
    throw std::runtime_error("no kernel " + level + "[" + kIsaNames[i] + "] for " + stem);
}

std::unique_ptr<PolicyLevel> make_policy(const std::string& stem, const std::string& level,
                                         const std::optional<std::string>& isa, const py::object& rule,
                                         const Shape& shape) {
    if (level == "python") return std::make_unique<PythonPolicy>(rule, shape.seen_by_policies());
    const int i = isa_index(isa.value());
    const std::string reason = missing(static_cast<Isa>(i));
    if (!reason.empty()) throw std::runtime_error(reason);
    const PolicyEntry& entry = find(kPolicies, kPolicyCount, stem);
    if (level == "cpp" && entry.cpp[i])
        return std::make_unique<NativePolicy>(*entry.cpp[i], entry.cpp[i]->select);
    if (level == "asm" && entry.assembly[i]) {
        const Policy* const shared = entry.cpp[i] ? entry.cpp[i] : entry.cpp[0];
        return std::make_unique<NativePolicy>(*shared, entry.assembly[i]);
    }
    throw std::runtime_error("no kernel " + level + "[" + kIsaNames[i] + "] for " + stem);
}

// One batch is one thread's at a time: a second user is told so instead of racing. While it lasts the thread
// computes in the default floating-point mode.
class Use {
  public:
    explicit Use(std::atomic_flag& flag) : flag_(flag) {
        if (flag_.test_and_set(std::memory_order_acquire)) {
            throw std::runtime_error(
                "this object is in use by another call; give each thread one of its own");
        }
    }
    ~Use() { flag_.clear(std::memory_order_release); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

  private:
    std::atomic_flag& flag_;
    const DefaultFloatMode mode_;
};

[[noreturn]] void raise_reset_needed(const std::string& message) {
    const py::object type = py::module_::import("gymnasium.error").attr("ResetNeeded");
    PyErr_SetString(type.ptr(), message.c_str());
    throw py::error_already_set();
}

template <typename T>
py::array_t<T> copied(const T* data, std::vector<py::ssize_t> shape) {
    py::array_t<T> array(std::move(shape));
    if (array.size()) std::memcpy(array.mutable_data(), data, static_cast<size_t>(array.nbytes()));
    return array;
}

// A view of `count` columns of a [fields][stride] array.
template <typename T>
py::array columns(T* data, int64_t fields, int64_t count, int64_t stride, const py::handle& owner) {
    constexpr py::ssize_t size = sizeof(T);
    return py::array(py::dtype::of<T>(), {fields, count}, {stride * size, size}, data, owner);
}

constexpr int kAligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
constexpr int kExact = py::array::c_style | py::array::forcecast | kAligned;
using Floats = py::array_t<float, kExact>;
using Doubles = py::array_t<double, kExact>;
using Integers = py::array_t<int64_t, kExact>;
using Words = py::array_t<uint64_t, kExact>;

// A tabular game's Table in memory of its own. Kernels index with what is in it, so every number is checked.
class PyTable {
  public:
    // thresholds (states, actions, K); outcomes (states, actions, K + 1) by their fields; start_thresholds
    // (M,), start_states (M + 1,).
    PyTable(const Words& thresholds, const Doubles& probabilities, const Doubles& rewards,
            const Integers& states, const Integers& terminated, const Words& start_thresholds,
            const Integers& start_states) {
        const auto fits = [&](const py::array& array) {
            return array.ndim() == 3 && array.shape(0) == thresholds.shape(0) &&
                   array.shape(1) == thresholds.shape(1) && array.shape(2) == thresholds.shape(2) + 1;
        };
        if (thresholds.ndim() != 3 || !thresholds.size() || !fits(probabilities) || !fits(rewards) ||
            !fits(states) || !fits(terminated) || start_thresholds.ndim() != 1 || !start_thresholds.size() ||
            start_states.ndim() != 1 || start_states.size() != start_thresholds.size() + 1) {
            throw py::value_error("the arrays of a table have shapes that do not belong together");
        }
        table_.states = thresholds.shape(0);
        table_.actions = thresholds.shape(1);
        table_.outcomes = thresholds.shape(2);
        table_.starts = start_thresholds.size();
        const auto known = [&](const Integers& numbers) {
            return std::all_of(numbers.data(), numbers.data() + numbers.size(),
                               [&](int64_t state) { return state >= 0 && state < table_.states; });
        };
        if (!known(states) || !known(start_states)) throw py::value_error("the table has an unknown state");
        const size_t count = static_cast<size_t>(states.size());
        const size_t rows = arena_.reserve(1, count * sizeof(Outcome));
        const size_t limits = arena_.reserve(1, static_cast<size_t>(thresholds.nbytes()));
        const size_t first_limits = arena_.reserve(1, static_cast<size_t>(start_thresholds.nbytes()));
        const size_t first_states = arena_.reserve(1, static_cast<size_t>(start_states.nbytes()));
        arena_.allocate();
        Outcome* const outcomes = arena_.at<Outcome>(rows);
        for (size_t i = 0; i < count; ++i) {
            outcomes[i] = {probabilities.data()[i], rewards.data()[i], states.data()[i],
                           terminated.data()[i] ? -1 : 0};
        }
        table_.rows = outcomes;
        table_.thresholds = copy(thresholds, limits);
        table_.start_thresholds = copy(start_thresholds, first_limits);
        table_.start_states = copy(start_states, first_states);
    }
    PyTable(const PyTable&) = delete;
    PyTable& operator=(const PyTable&) = delete;

    const Table* get() const { return &table_; }

  private:
    template <typename T>
    const T* copy(const py::array_t<T, kExact>& array, size_t offset) {
        T* const own = arena_.at<T>(offset);
        std::copy_n(array.data(), array.size(), own);
        return own;
    }

    Arena arena_;
    Table table_{};
};

const Table* table_of(const std::shared_ptr<PyTable>& table) { return table ? table->get() : nullptr; }

// Refuses sizes that the kernels would not survive.
void check_sizes(const GameLevel& game, const std::string& stem, const Shape& shape, const Table* table,
                 int64_t n, int64_t limit, const std::vector<double>& params,
                 const std::vector<double>& options) {
    bool fit = n >= 1 && limit >= 1 && static_cast<int64_t>(params.size()) == shape.params &&
               static_cast<int64_t>(options.size()) == shape.options && shape.observation >= 1 &&
               shape.action >= 1 && shape.info >= 0 && shape.cache >= 0;
    if (game.native()) {
        const Game& kernels = *find(kGames, kGameCount, stem).cpp[0];
        fit = fit && split(kernels.params, ',').size() == params.size() &&
              split(kernels.options, ',').size() == options.size() &&
              static_cast<int64_t>(split(kernels.state, ',').size()) == shape.fields &&
              kernels.info == shape.info && kernels.cache == shape.cache &&
              kernels.tabular == (table != nullptr);
    }
    if (table) fit = fit && table->states == shape.observations && table->actions == shape.actions;
    if (!fit) throw py::value_error("these sizes do not belong to " + stem);
}

std::shared_ptr<Stepper> make_stepper(std::unique_ptr<GameLevel> game, const std::string& stem,
                                      const Shape& shape, const Table* table, int64_t n, int64_t limit,
                                      Autoreset autoreset, std::vector<double> params,
                                      std::vector<double> options) {
    check_sizes(*game, stem, shape, table, n, limit, params, options);
    return std::make_shared<Stepper>(std::move(game), shape, n, limit, autoreset, std::move(params),
                                     std::move(options), table);
}

constexpr int64_t kGilLanes = 128;  // below, releasing the lock costs more than the step

class PyBatch {
  public:
    PyBatch(const std::string& stem, const std::string& level, const std::optional<std::string>& isa,
            const Shape& shape, std::shared_ptr<PyTable> table, int64_t n, int64_t limit,
            const std::string& autoreset, std::vector<double> params, std::vector<double> options,
            const py::object& rules, bool copy)
        : table_(std::move(table)),
          owner_(make_stepper(make_game(stem, level, isa, rules, shape), stem, shape, table_of(table_), n,
                              limit, mode(autoreset), std::move(params), std::move(options))),
          stepper_(*owner_),
          copy_(copy),
          view_(copy ? py::object() : make_view(stepper_.lanes().batch.observation, shape, n)) {}

    // ---- Gymnasium's vector interface ----

    // (observations, rewards, terminated, truncated, info). In SAME_STEP, when episodes ended, info has the
    // rows `final_obs` and in `_final_obs` the lanes they are of.
    py::tuple step(const py::object& actions) {
        const Use use(used_);
        require_started();
        const Batch& b = stepper_.lanes().batch;
        if (stepper_.waiting()) {
            raise_reset_needed("an episode has ended and autoreset is disabled: reset its lanes first");
        }
        take(actions);
        advance();
        const py::ssize_t n = b.valid;
        py::dict info;
        if (stepper_.autoreset() == Autoreset::same_step && !stepper_.ended().empty()) {
            const std::vector<int64_t>& lanes = stepper_.ended();
            const py::ssize_t count = static_cast<py::ssize_t>(lanes.size());
            info["final_obs"] = rows(stepper_.final_observations().data(), count, false);
            info["_final_obs"] = copied(lanes.data(), {count});
        }
        return py::make_tuple(all_observations(), copied(b.reward, {n}),
                              copied(reinterpret_cast<const bool*>(b.terminated), {n}),
                              copied(reinterpret_cast<const bool*>(b.truncated), {n}), info);
    }

    // Gymnasium's single environment: (observation, reward, terminated, truncated, info), or None if the
    // episode has ended.
    py::object step_one(const py::object& action) {
        const Use use(used_);
        require_started();
        if (stepper_.waiting()) return py::none();
        take_one(action);
        advance();
        const Batch& b = stepper_.lanes().batch;
        return py::make_tuple(first_observation(), b.reward[0], static_cast<bool>(b.terminated[0]),
                              static_cast<bool>(b.truncated[0]), py::dict());
    }

    void reset(const Integers& given, const std::vector<double>& options) {
        const Use use(used_);
        const std::vector<int64_t> lanes = check_lanes(given);
        if (options.size() != static_cast<size_t>(stepper_.lanes().shape.options)) {
            throw py::value_error("wrong number of options");
        }
        stepper_.reset(lanes, options);
        started_ = true;
    }

    // Reset of every lane with the default options: what an episode loop does all the time.
    void restart() {
        const Use use(used_);
        stepper_.restart();
        started_ = true;
    }

    void seed(const Integers& given, const Words& low, const Words& high) {
        const Use use(used_);
        const std::vector<int64_t> lanes = check_lanes(given);
        if (low.size() != given.size() || high.size() != given.size())
            throw py::value_error("one seed per lane");
        stepper_.withdraw(lanes);
        const Batch& b = stepper_.lanes().batch;
        for (size_t j = 0; j < lanes.size(); ++j) {
            baseline::seed(b.stream, b.stride, lanes[j], low.data()[j], high.data()[j]);
        }
    }

    py::object observations() {
        const Use use(used_);
        return all_observations();
    }

    py::object observation() {
        const Use use(used_);
        return first_observation();
    }

    // ---- measuring ----

    // Seconds for `times` rounds of the actions, each of the k rows as `step` takes them; the outputs of
    // every step are written, no Python between.
    double repeat(const py::array& actions, int64_t times) {
        const Use use(used_);
        require_started();
        if (stepper_.autoreset() == Autoreset::disabled)
            throw py::value_error("repeat needs an autoreset mode");
        if (actions.ndim() == 0) throw py::value_error("actions must have the shape (k, num_envs, …)");
        Batch& batch = stepper_.lanes().batch;
        const size_t rounds = static_cast<size_t>(actions.shape(0));
        const size_t bytes = static_cast<size_t>(batch.n) * stepper_.lanes().shape.action_bytes();
        size_t pitch = 0;
        Arena arena;
        const size_t first = arena.reserve(rounds, bytes, &pitch);
        arena.allocate();
        for (size_t k = 0; k < rounds; ++k) {
            take(actions[py::int_(k)]);
            std::memcpy(arena.at<void>(first + k * pitch), batch.action, bytes);
        }
        const void* const own = batch.action;
        const py::gil_scoped_release unlock;
        const auto start = std::chrono::steady_clock::now();
        for (int64_t t = 0; t < times; ++t) {
            for (size_t k = 0; k < rounds; ++k) {
                batch.action = arena.at<void>(first + k * pitch);
                stepper_.step();
            }
        }
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        batch.action = own;
        return seconds.count();
    }

    // ---- state ----

    std::vector<double> params() {
        const Use use(used_);
        return stepper_.params();
    }
    void set_params(const std::vector<double>& params) {
        const Use use(used_);
        if (params.size() != stepper_.params().size()) throw py::value_error("wrong number of params");
        stepper_.set_params(params);
    }
    void restored() {
        const Use use(used_);
        stepper_.restored();
        started_ = true;
    }
    void resume() {
        const Use use(used_);
        stepper_.resume(0);
    }
    void set_parking(bool parking) {
        const Use use(used_);
        stepper_.set_parking(parking);
    }
    // The state was overwritten with states that play could have reached.
    void moved() {
        const Use use(used_);
        stepper_.moved();
    }

    static py::array state(const py::object& self) {
        const Lanes& lanes = self.cast<PyBatch&>().stepper_.lanes();
        return columns(lanes.batch.state, lanes.shape.fields, lanes.batch.valid, lanes.batch.stride, self);
    }
    static py::array stream(const py::object& self) {
        const Batch& b = self.cast<PyBatch&>().stepper_.lanes().batch;
        return columns(b.stream, kStreamFields, b.valid, b.stride, self);
    }
    static py::array info(const py::object& self) {
        const Lanes& lanes = self.cast<PyBatch&>().stepper_.lanes();
        return columns(lanes.batch.info, lanes.shape.info, lanes.batch.valid, lanes.batch.stride, self);
    }
    static py::array elapsed(const py::object& self) {
        const Batch& b = self.cast<PyBatch&>().stepper_.lanes().batch;
        return py::array_t<int64_t>({b.valid}, {8}, b.elapsed, self);
    }
    // Rows of Stepper::Parked, (4, n).
    static py::array parked(const py::object& self) {
        Stepper& stepper = self.cast<PyBatch&>().stepper_;
        constexpr py::ssize_t kWord = sizeof(uint64_t), kSize = sizeof(Stepper::Parked);
        return py::array(py::dtype::of<uint64_t>(), {kSize / kWord, stepper.lanes().batch.valid},
                         {kWord, kSize}, reinterpret_cast<uint64_t*>(stepper.parked()), self);
    }

    bool started() const { return started_; }
    Stepper& stepper() { return stepper_; }
    std::atomic_flag& used() { return used_; }
    int64_t damaged() const { return stepper_.damaged(); }

  private:
    static Autoreset mode(const std::string& name) {
        if (name == "NextStep") return Autoreset::next_step;
        if (name == "SameStep") return Autoreset::same_step;
        if (name == "Disabled") return Autoreset::disabled;
        throw py::value_error("autoreset is '" + name + "'; allowed: NextStep, SameStep, Disabled");
    }

    static std::vector<py::ssize_t> extent(const Shape& shape, int64_t rows) {
        if (shape.observations && shape.radix.empty()) return {rows};
        return {rows, shape.observation};
    }

    // A copy of the first observations of `data`; of a Tuple space a tuple of columns, unless they shall stay
    // rows.
    py::object rows(const void* data, py::ssize_t count, bool batched = true) const {
        const Shape& shape = stepper_.lanes().shape;
        if (!shape.observations) return copied(static_cast<const float*>(data), extent(shape, count));
        const int64_t* const numbers = static_cast<const int64_t*>(data);
        if (shape.radix.empty() || !batched) return copied(numbers, extent(shape, count));
        py::tuple columns(shape.radix.size());
        for (py::ssize_t k = 0; k < shape.observation; ++k) {
            py::array_t<int64_t> column(count);
            int64_t* const own = column.mutable_data();
            for (py::ssize_t i = 0; i < count; ++i) own[i] = numbers[i * shape.observation + k];
            columns[static_cast<size_t>(k)] = std::move(column);
        }
        return columns;
    }

    py::object all_observations() const {
        return copy_ ? rows(stepper_.lanes().batch.observation, stepper_.lanes().batch.valid) : view_;
    }

    // As a single environment returns it: an array, an int, or a tuple of ints.
    py::object first_observation() const {
        const Shape& shape = stepper_.lanes().shape;
        const void* const data = stepper_.lanes().batch.observation;
        if (!shape.observations) return copied(static_cast<const float*>(data), {shape.observation});
        const int64_t* const numbers = static_cast<const int64_t*>(data);
        if (shape.radix.empty()) return py::int_(*numbers);
        return py::tuple(py::cast(std::vector<int64_t>(numbers, numbers + shape.observation)));
    }

    // A view that keeps the memory alive when the batch is gone.
    py::object make_view(void* data, const Shape& shape, int64_t rows) const {
        auto* const owner = new std::shared_ptr<Stepper>(owner_);
        const py::capsule kept(owner, [](void* p) { delete static_cast<std::shared_ptr<Stepper>*>(p); });
        if (!shape.observations)
            return py::array_t<float>(extent(shape, rows), static_cast<float*>(data), kept);
        int64_t* const numbers = static_cast<int64_t*>(data);
        if (shape.radix.empty()) return py::array_t<int64_t>(extent(shape, rows), numbers, kept);
        constexpr py::ssize_t kWord = sizeof(int64_t);
        py::tuple columns(shape.radix.size());
        for (size_t k = 0; k < columns.size(); ++k) {
            columns[k] = py::array_t<int64_t>({rows}, {kWord * shape.observation}, numbers + k, kept);
        }
        return columns;
    }

    void require_started() const {
        if (!started_) raise_reset_needed("step was called before reset");
    }

    std::vector<int64_t> check_lanes(const Integers& given) const {
        const std::vector<int64_t> lanes(given.data(), given.data() + given.size());
        for (const int64_t lane : lanes) {
            if (lane < 0 || lane >= stepper_.lanes().batch.valid) throw py::index_error("no such lane");
        }
        return lanes;
    }

    std::string allowed(bool one = false) const {
        const Shape& shape = stepper_.lanes().shape;
        if (shape.actions) return "integers 0 to " + std::to_string(shape.actions - 1);
        const std::string size = std::to_string(shape.action);
        return "finite floats of shape " + (one ? "(" + size + ",)" : "(num_envs, " + size + ")");
    }

    // What NumPy makes of actions, or of one action, if it is of one of these kinds and of this shape.
    py::array array_of(const py::object& actions, const std::string& kinds,
                       const std::vector<py::ssize_t>& shape, bool one) const {
        const std::string name = one ? "action" : "actions";
        const py::array given = py::array::ensure(actions);
        if (!given) {
            PyErr_Clear();
            throw py::type_error(name + " is a " + type_name(actions) + "; allowed: " + allowed(one));
        }
        if (kinds.find(given.dtype().kind()) == std::string::npos) {
            throw py::type_error(name + " has dtype " + text(given.dtype()) + "; allowed: " + allowed(one));
        }
        if (!std::equal(shape.begin(), shape.end(), given.shape(), given.shape() + given.ndim())) {
            throw py::value_error(name + " has shape " + text(given.attr("shape")) +
                                  "; allowed: " + text(py::tuple(py::cast(shape))));
        }
        return given;
    }

    // NumPy would warn of a number beyond float32; here it becomes infinite, and is refused as such.
    static Floats floats(const py::array& given) {
        if (given.dtype().is(py::dtype::of<float>())) return given;
        const Doubles doubles(given);
        Floats rounded(std::vector<py::ssize_t>(given.shape(), given.shape() + given.ndim()));
        std::transform(doubles.data(), doubles.data() + doubles.size(), rounded.mutable_data(),
                       [](double number) { return static_cast<float>(number); });
        return rounded;
    }

    void take(const py::object& actions) {
        const Lanes& lanes = stepper_.lanes();
        const bool discrete = lanes.shape.actions > 0;
        std::vector<py::ssize_t> shape{lanes.batch.valid};
        if (!discrete) shape.push_back(lanes.shape.action);
        const py::array given = array_of(actions, discrete ? "iub" : "f", shape, false);
        const int64_t wrong =
            discrete ? stepper_.take(Integers(given).data()) : stepper_.take(floats(given).data());
        if (wrong >= 0) {
            throw py::value_error("actions[" + std::to_string(wrong) + "] is " +
                                  text(given[py::int_(wrong)]) + "; allowed: " + allowed());
        }
    }

    void take_one(const py::object& action) {
        const Shape& shape = stepper_.lanes().shape;
        if (!shape.actions) {
            const py::array given = array_of(action, "f", {shape.action}, true);
            if (stepper_.take(floats(given).data()) >= 0) {
                throw py::value_error("action is " + text(given) + "; allowed: " + allowed(true));
            }
            return;
        }
        int64_t value = 0;
        if (PyLong_Check(action.ptr())) {
            value = PyLong_AsLongLong(action.ptr());
        } else {
            const py::object index = py::reinterpret_steal<py::object>(PyNumber_Index(action.ptr()));
            if (!index) {
                PyErr_Clear();
                throw py::type_error("action is " + text(py::repr(action)) + " of type " + type_name(action) +
                                     "; allowed: " + allowed());
            }
            value = PyLong_AsLongLong(index.ptr());
        }
        if (PyErr_Occurred()) {
            PyErr_Clear();
            value = -1;
        }
        if (stepper_.take(&value) >= 0) {
            throw py::value_error("action is " + text(action) + "; allowed: " + allowed());
        }
    }

    void advance() {
        if (stepper_.game().native() && stepper_.lanes().batch.n >= kGilLanes) {
            const py::gil_scoped_release unlock;
            stepper_.step();
        } else {
            stepper_.step();
        }
    }

    const std::shared_ptr<PyTable> table_;  // what the stepper refers to
    const std::shared_ptr<Stepper> owner_;
    Stepper& stepper_;
    const bool copy_;
    bool started_ = false;
    const py::object view_;  // of the observations, unless they are copied
    std::atomic_flag used_;
};

Head head_of(const std::string& name) {
    if (name == "argmax") return Head::argmax;
    if (name == "threshold") return Head::threshold;
    if (name == "box") return Head::box;
    if (name == "vote") return Head::vote;
    throw py::value_error("head is '" + name + "'; allowed: argmax, threshold, box, vote");
}

// One policy's tensors; with `candidates` the first one's, whose arrays are stacked along a leading axis.
std::vector<Parameters::Source> sources(const std::vector<py::array>& tensors, int64_t candidates = 0) {
    std::vector<Parameters::Source> all;
    const py::ssize_t axis = candidates > 0, parts = std::max<int64_t>(candidates, 1);
    for (const py::array& tensor : tensors) {
        const int64_t rows = tensor.ndim() > axis ? tensor.shape(axis) : 1;
        all.push_back({tensor.data(), static_cast<size_t>(tensor.nbytes() / parts), rows,
                       rows ? tensor.size() / parts / rows : 0});
    }
    return all;
}

// What a search is made of; `rule` is None for a native level.
struct SearchPlan {
    std::string game, level;
    std::optional<std::string> isa;
    SearchSettings settings;
    std::vector<float> low, high;  // bounds of a Box action
};

// In the order of SearchSettings, without the last two or all of them.
SearchSettings settings_of(const std::vector<int64_t>& numbers) {
    if (numbers.size() != 4 && numbers.size() != 6) throw py::value_error("a search has 4 or 6 settings");
    SearchSettings settings{numbers[0], numbers[1], numbers[2], numbers[3]};
    if (numbers.size() == 6) {
        settings.iterations = numbers[4];
        settings.elites = numbers[5];
    }
    constexpr int64_t kMost = 65536, kMostActions = int64_t{1} << 22;
    for (const int64_t number : numbers) {
        if (number < 1 || number > kMost) throw py::value_error("a setting of the search is out of range");
    }
    if (settings.commit > settings.horizon || settings.elites > settings.candidates ||
        settings.candidates * settings.horizon > kMostActions)
        throw py::value_error("settings of the search do not belong together");
    return settings;
}

// For n lanes of a game with these params, which the search copies; the table must outlive it.
std::unique_ptr<Search> make_search(const SearchPlan& plan, const py::object& rule, const Shape& shape,
                                    const Table* table, const std::vector<double>& params, bool in_play,
                                    int64_t n) {
    std::unique_ptr<SearchLevel> level;
    if (plan.level == "python") {
        level = std::make_unique<PythonSearch>(rule, shape, plan.settings);
    } else {
        level = std::make_unique<NativeSearch>(
            Simulator{make_game(plan.game, plan.level, plan.isa, rule, shape), shape, params.data(), table,
                      in_play, plan.low, plan.high},
            plan.settings);
    }
    return std::make_unique<Search>(std::move(level), shape, plan.settings, n);
}

class PyPlayer {
  public:
    PyPlayer(const std::string& stem, const std::string& level, const std::optional<std::string>& isa,
             const std::string& head, const Shape& shape, const std::vector<py::array>& tensors,
             std::vector<int64_t> choices, std::vector<float> low, std::vector<float> high, bool draws,
             int64_t steps, const py::object& rule)
        : shape_(shape),
          player_(std::make_unique<Player>(make_policy(stem, level, isa, rule, shape), shape,
                                           Parameters{head_of(head), sources(tensors), std::move(choices),
                                                      std::move(low), std::move(high), draws, steps})),
          workspace_(std::make_unique<Player::Workspace>(*player_)) {}

    // A policy that plans, of states. Field f of a state must lie between least[f] and most[f]. An optional
    // table, for of several constructors pybind11 tries each without conversions, and None is one.
    PyPlayer(const std::string& game, const std::string& level, const std::optional<std::string>& isa,
             const Shape& shape, std::optional<std::shared_ptr<PyTable>> table,
             const std::vector<double>& params, const std::vector<int64_t>& settings, std::vector<float> low,
             std::vector<float> high, const py::object& rule, std::vector<std::string> fields,
             std::vector<bool> integers, std::vector<double> least, std::vector<double> most)
        : shape_(shape),
          plan_(SearchPlan{game, level, isa, settings_of(settings), std::move(low), std::move(high)}),
          fields_(std::move(fields)),
          integers_(std::move(integers)),
          least_(std::move(least)),
          most_(std::move(most)),
          table_(table ? *table : nullptr) {
        const size_t count = static_cast<size_t>(shape.fields);
        const size_t bounds = shape.actions ? 0 : static_cast<size_t>(shape.action);
        if (fields_.size() != count || integers_.size() != count || least_.size() != count ||
            most_.size() != count || plan_->low.size() != bounds || plan_->high.size() != bounds) {
            throw py::value_error("these sizes do not belong to a search in " + game);
        }
        if (level != "python") {
            check_sizes(*make_game(game, level, isa, rule, shape), game, shape, table_of(table_), 1, kNoLimit,
                        params, std::vector<double>(static_cast<size_t>(shape.options)));
        }
        search_ = make_search(*plan_, rule, shape, table_of(table_), params, false, 1);
    }

    // The rows of later calls draw from SeedSequence(seed + row, spawn_key=(1,)).
    void seed(uint64_t low, uint64_t high) {
        const Use use(used_);
        seed_low_ = low;
        seed_high_ = high;
        capacity_ = 0;
        streams_.clear();
    }

    // The streams of the rows so far, (5, rows), for copies.
    py::array_t<uint64_t> streams() {
        const Use use(used_);
        return copied(streams_.data(), {static_cast<py::ssize_t>(kStreamFields), capacity_});
    }
    void set_streams(const Words& streams) {
        const Use use(used_);
        if (streams.ndim() != 2 || streams.shape(0) != kStreamFields || streams.shape(1) % kLanes) {
            throw py::value_error("streams must have shape (5, n), n a multiple of 8");
        }
        capacity_ = streams.shape(1);
        streams_.assign(streams.data(), streams.data() + streams.size());
    }

    // One observation as environments return it, a float32 array, an int or a tuple of ints, without the
    // checks and conversions of `call`; null and no error if it is anything else.
    PyObject* call_exactly(PyObject* observation) {
        const Shape& shape = shape_;
        if (!shape.actions || search_ || player_->sees_time()) return nullptr;
        const void* data;
        if (shape.observations) {
            const size_t size = shape.radix.size();
            numbers_.resize(static_cast<size_t>(shape.observation));
            if (!size) {
                if (!exactly(observation, shape.observations, numbers_[0])) return nullptr;
            } else {
                if (!PyTuple_CheckExact(observation) || PyTuple_GET_SIZE(observation) != shape.observation)
                    return nullptr;
                for (size_t k = 0; k < size; ++k) {
                    PyObject* const part = PyTuple_GET_ITEM(observation, static_cast<py::ssize_t>(k));
                    if (!exactly(part, shape.radix[k], numbers_[k])) return nullptr;
                }
            }
            data = numbers_.data();
        } else {
            const auto* const array = py::detail::array_proxy(observation);
            constexpr int layout = py::array::c_style | kAligned;
            if (Py_TYPE(observation) != array_type() || array->descr != float32() || array->nd != 1 ||
                array->dimensions[0] != shape.observation || (array->flags & layout) != layout) {
                return nullptr;
            }
            data = array->data;
        }
        const Use use(used_);
        grow(1);
        int64_t action;
        decide(data, &action, 1);
        return PyLong_FromLongLong(action);
    }

    // `elapsed`: None, or of a policy that sees the time a number for all rows, or one for each.
    py::object call(const py::object& observation, const py::object& elapsed) {
        const Use use(used_);
        const Shape& shape = shape_;
        const py::array given = array_of(observation);
        if (search_) {
            take_elapsed(elapsed, 0);
            take_states(given);
            return given.ndim() == 1 ? act_one(states_.data()) : act_rows(states_.data(), given.shape(0));
        }
        const bool flat = shape.observations > 0 && shape.radix.empty();
        const py::ssize_t rank = given.ndim() + (flat ? 1 : 0);
        if ((rank != 1 && rank != 2) || (!flat && given.shape(given.ndim() - 1) != shape.observation)) {
            throw py::value_error("observation has shape " + text(given.attr("shape")) +
                                  "; allowed: " + allowed());
        }
        take_elapsed(elapsed, rank == 1 ? 1 : given.shape(0));
        const void* data;
        py::array holder;
        const char kind = given.dtype().kind();
        if (shape.observations) {
            if (kind != 'i' && kind != 'u' && kind != 'b') refuse_dtype(given);
            data = numbers_of(given);
        } else if (py::array_t<float, py::array::c_style>::check_(given) && (given.flags() & kAligned)) {
            holder = given;
            data = holder.data();
        } else {
            if (kind != 'f' && kind != 'i' && kind != 'u' && kind != 'b') refuse_dtype(given);
            holder = Floats(given);
            data = holder.data();
        }
        if (rank == 1) return act_one(data);
        return act_rows(data, given.shape(0));
    }

    // Seconds for `times` rounds of decisions on the rows of `observation`, all of step 0; no Python between.
    double repeat(const py::object& batch, int64_t times) {
        const Use use(used_);
        const Shape& shape = shape_;
        const py::array observation = array_of(batch);
        if (search_) take_states(observation);
        const size_t bytes = shape.observation_bytes();
        const bool kind = observation.dtype().kind() == (shape.observations ? 'i' : 'f');
        if (search_ ? observation.ndim() != 2
                    : !kind || observation.ndim() == 0 || !(observation.flags() & py::array::c_style) ||
                          static_cast<size_t>(observation.nbytes()) !=
                              bytes * static_cast<size_t>(observation.shape(0))) {
            throw py::value_error("observation must be a batch as the environment returns it");
        }
        const int64_t n = observation.shape(0);
        grow(n);
        elapsed_.assign(player_ && player_->sees_time() ? static_cast<size_t>(n) : 0, 0);
        Arena arena;
        const size_t action = arena.reserve(1, static_cast<size_t>(n) * shape.action_bytes());
        arena.allocate();
        const void* const data = search_              ? states_.data()
                                 : shape.observations ? static_cast<const void*>(numbers_of(observation))
                                                      : observation.data();
        const py::gil_scoped_release unlock;
        const auto start = std::chrono::steady_clock::now();
        for (int64_t t = 0; t < times; ++t) {
            decide(data, arena.at<void>(action), n);
        }
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        return seconds.count();
    }

    bool searches() const { return search_ != nullptr; }
    Player& player() { return *player_; }
    const SearchPlan& plan() const { return *plan_; }
    std::atomic_flag& used() { return used_; }

  private:
    static PyTypeObject* array_type() { return py::detail::npy_api::get().PyArray_Type_; }
    // NumPy has one object for each built-in dtype in native byte order.
    static PyObject* float32() {
        static PyObject* const found = py::dtype::of<float>().release().ptr();
        return found;
    }

    std::string allowed() const {
        const Shape& shape = shape_;
        if (search_) {
            const std::string count = std::to_string(shape.fields);
            return "real numbers of shape (" + count + ",) or (n, " + count + "), the fields of the state";
        }
        const std::string size = std::to_string(shape.observation);
        if (!shape.radix.empty()) {
            const std::string most = text(py::tuple(py::cast(shape.radix)));
            return "integers from 0 to below " + most + ", " + size + " or a tuple of " + size +
                   " arrays of shape (n,)";
        }
        if (shape.observations) return "integers from 0 to " + std::to_string(shape.observations - 1);
        return "real numbers of shape (" + size + ",) or (n, " + size + ")";
    }

    // Actions for n rows, of observations or of states.
    void decide(const void* rows, void* action, int64_t n) {
        if (search_) {
            search_->act_rows(static_cast<const double*>(rows), action, n, streams_.data(), capacity_);
        } else {
            player_->act(*workspace_, rows, elapsed_.data(), action, n, streams_.data(), capacity_);
        }
    }

    // Fills `elapsed_`, for n rows.
    void take_elapsed(const py::object& given, int64_t n) {
        const std::string allowed = "; allowed: integers from 0 on, one or one for each observation";
        if (search_ || !player_->sees_time()) {
            if (given.is_none()) return;
            throw py::type_error("elapsed is " + text(given) +
                                 "; allowed: None, this policy does not see it");
        }
        const py::array array = py::array::ensure(given);
        if (given.is_none() || !array || (array.dtype().kind() != 'i' && array.dtype().kind() != 'u')) {
            PyErr_Clear();
            throw py::type_error("elapsed is " + text(given) + allowed);
        }
        if (array.ndim() != 0 && (array.ndim() != 1 || array.shape(0) != n)) {
            throw py::value_error("elapsed has shape " + text(array.attr("shape")) + allowed);
        }
        const Integers steps(array);
        elapsed_.assign(static_cast<size_t>(n), 0);
        for (int64_t i = 0; i < n; ++i) elapsed_[static_cast<size_t>(i)] = steps.data()[array.ndim() ? i : 0];
        for (const int64_t step : elapsed_) {
            if (step < 0) throw py::value_error("elapsed is " + std::to_string(step) + allowed);
        }
    }

    // Fills `states_`: 8-byte fields as Batch has them. Kernels index with the integers among them.
    void take_states(const py::array& given) {
        const char kind = given.dtype().kind();
        if (kind != 'f' && kind != 'i' && kind != 'u' && kind != 'b') refuse_dtype(given);
        const py::ssize_t rank = given.ndim();
        if ((rank != 1 && rank != 2) || given.shape(rank - 1) != shape_.fields) {
            throw py::value_error("state has shape " + text(given.attr("shape")) + "; allowed: " + allowed());
        }
        const Doubles numbers(given);
        states_.assign(numbers.data(), numbers.data() + numbers.size());
        for (size_t i = 0; i < states_.size(); ++i) {
            const size_t f = i % fields_.size();
            const double number = states_[i];
            const bool fits = number >= least_[f] && number <= most_[f];
            if (!fits || (integers_[f] && number != static_cast<double>(static_cast<int64_t>(number)))) {
                throw py::value_error("state has " + text(py::float_(number)) + " as " + fields_[f] +
                                      "; allowed: " + allowed_field(f));
            }
            if (!integers_[f]) continue;
            const int64_t integer = static_cast<int64_t>(number);
            std::memcpy(&states_[i], &integer, sizeof integer);
        }
    }

    std::string allowed_field(size_t f) const {
        if (!integers_[f]) return "a finite number";
        return "integers " + std::to_string(static_cast<int64_t>(least_[f])) + " to " +
               std::to_string(static_cast<int64_t>(most_[f]));
    }

    // An exact int from 0 to below `end`.
    static bool exactly(PyObject* object, int64_t end, int64_t& number) {
        if (!PyLong_CheckExact(object)) return false;
        int overflow;
        number = PyLong_AsLongLongAndOverflow(object, &overflow);
        return !overflow && number >= 0 && number < end;
    }

    // The observation as one array, a row for each: of a Tuple space environments return a tuple of columns.
    py::array array_of(const py::object& observation) const {
        py::array given;
        if (!search_ && !shape_.radix.empty() && py::isinstance<py::tuple>(observation)) {
            try {
                given = py::module_::import("numpy").attr("stack")(observation, -1);
            } catch (const py::error_already_set& problem) {
                if (!problem.matches(PyExc_ValueError) && !problem.matches(PyExc_TypeError)) throw;
                throw py::value_error("observation is " + text(py::repr(observation)) +
                                      "; allowed: " + allowed());
            }
        } else {
            given = py::array::ensure(observation);
        }
        if (!given) {
            PyErr_Clear();
            throw py::type_error("observation is a " + type_name(observation) + "; allowed: " + allowed());
        }
        return given;
    }

    // The numbers of a Discrete or Tuple observation space, with which kernels index: a copy, for another
    // thread may write to the caller's array after it was checked.
    const int64_t* numbers_of(const py::array& given) {
        const Integers integers(given);
        numbers_.assign(integers.data(), integers.data() + integers.size());
        const Shape& shape = shape_;
        const std::vector<int64_t> ends =
            shape.radix.empty() ? std::vector<int64_t>{shape.observations} : shape.radix;
        for (size_t i = 0; i < numbers_.size(); ++i) {
            if (numbers_[i] >= 0 && numbers_[i] < ends[i % ends.size()]) continue;
            throw py::value_error("observation is " + text(given.attr("flat")[py::int_(i)]) +
                                  "; allowed: " + allowed());
        }
        return numbers_.data();
    }

    [[noreturn]] void refuse_dtype(const py::array& given) const {
        throw py::type_error("observation has dtype " + text(given.dtype()) + "; allowed: " + allowed());
    }

    py::object act_one(const void* observation) {
        const Shape& shape = shape_;
        grow(1);
        if (shape.actions) {
            int64_t action;
            decide(observation, &action, 1);
            return py::int_(action);
        }
        py::array_t<float> action(shape.action);
        decide(observation, action.mutable_data(), 1);
        return action;
    }

    py::object act_rows(const void* observation, int64_t n) {
        const Shape& shape = shape_;
        grow(n);
        py::array actions;
        if (shape.actions) {
            actions = py::array_t<int64_t>(n);
        } else {
            actions = py::array_t<float>({n, shape.action});
        }
        void* const data = actions.mutable_data();
        if (search_ ? search_->native() : player_->native() && n >= kGilLanes) {
            const py::gil_scoped_release unlock;
            decide(observation, data, n);
        } else {
            decide(observation, data, n);
        }
        return actions;
    }

    // Streams for n rows; those that exist go on.
    void grow(int64_t n) {
        if (!(search_ || player_->draws()) || n <= capacity_) return;
        const int64_t capacity = (std::max(n, 2 * capacity_) + kLanes - 1) / kLanes * kLanes;
        std::vector<uint64_t> streams(static_cast<size_t>(kStreamFields * capacity));
        for (int64_t field = 0; field < kStreamFields; ++field) {
            std::copy_n(streams_.begin() + field * capacity_, capacity_, streams.begin() + field * capacity);
        }
        for (int64_t row = capacity_; row < capacity; ++row) {
            const uint64_t low = seed_low_ + static_cast<uint64_t>(row);
            baseline::seed_spawned(streams.data(), capacity, row, low, seed_high_ + (low < seed_low_), 1);
        }
        streams_ = std::move(streams);
        capacity_ = capacity;
    }

    const Shape shape_;
    // One that sees observations, or
    std::unique_ptr<Player> player_;
    std::unique_ptr<Player::Workspace> workspace_;
    std::vector<int64_t> elapsed_;
    // one that plans, of states.
    std::optional<SearchPlan> plan_;
    std::vector<std::string> fields_;
    std::vector<bool> integers_;
    std::vector<double> least_, most_;
    std::vector<double> states_;
    std::shared_ptr<PyTable> table_;
    std::unique_ptr<Search> search_;
    uint64_t seed_low_ = 0, seed_high_ = 0;
    std::vector<uint64_t> streams_;
    std::vector<int64_t> numbers_;
    int64_t capacity_ = 0;
    std::atomic_flag used_;
};

// The type slot behind agent(observation). One decision takes less than pybind11's search for an overload, so
// that what agents are called with most often does not go through it.
PyObject* call_player(PyObject* self, PyObject* args, PyObject* kwargs) {
    // The layout of an instance whose only C++ base is PyPlayer.
    auto* const instance = reinterpret_cast<py::detail::instance*>(self);
    if (!instance->simple_layout || !instance->simple_holder_constructed) {
        PyErr_SetString(PyExc_TypeError, "the agent was not initialised");
        return nullptr;
    }
    auto* const player = static_cast<PyPlayer*>(instance->simple_value_holder[0]);
    if (!kwargs && PyTuple_GET_SIZE(args) == 1) {
        try {
            if (PyObject* const action = player->call_exactly(PyTuple_GET_ITEM(args, 0))) return action;
        } catch (const std::exception& problem) {
            PyErr_SetString(PyExc_RuntimeError, problem.what());
            return nullptr;
        }
    }
    PyObject* const method = PyObject_GetAttrString(self, "_act");
    if (!method) return nullptr;
    PyObject* const action = PyObject_Call(method, args, kwargs);
    Py_DECREF(method);
    return action;
}

// Only level python touches Python's objects when it is made.
template <typename Make>
auto locked(const std::string& level, Make make) {
    if (level != "python") return make();
    const py::gil_scoped_acquire lock;
    return make();
}

// The arguments must outlive the task.
RolloutTask make_task(const std::string& stem, const std::string& level,
                      const std::optional<std::string>& isa, const Shape& shape, const Table* table,
                      const py::object& rules, std::vector<double> params, std::vector<double> options,
                      int64_t limit, int64_t episodes, uint64_t seed, int64_t num_envs, int64_t threads) {
    check_sizes(*make_game(stem, level, isa, rules, shape), stem, shape, table, num_envs, limit, params,
                options);
    if (episodes < 1 || threads < 1) throw py::value_error("episodes and threads must be at least 1");
    return {[&] { return locked(level, [&] { return make_game(stem, level, isa, rules, shape); }); },
            shape,
            std::move(params),
            std::move(options),
            table,
            limit,
            episodes,
            seed,
            num_envs,
            threads};
}

// (returns, lengths, seconds) of `play`, which is given the function that looks for Ctrl-C.
template <typename Play>
py::tuple without_lock(const std::vector<py::ssize_t>& count, Play play) {
    RolloutResult result;
    std::chrono::duration<double> seconds{};
    bool interrupted = false;
    {
        const py::gil_scoped_release unlock;
        const auto start = std::chrono::steady_clock::now();
        result = play([&] {
            const py::gil_scoped_acquire lock;
            interrupted = interrupted || PyErr_CheckSignals() != 0;
            return interrupted;
        });
        seconds = std::chrono::steady_clock::now() - start;
    }
    if (interrupted) throw py::error_already_set();
    return py::make_tuple(copied(result.returns.data(), count), copied(result.lengths.data(), count),
                          seconds.count());
}

py::tuple run_rollout(const std::string& stem, const std::string& level,
                      const std::optional<std::string>& isa, const Shape& shape,
                      const std::shared_ptr<PyTable>& table, const py::object& rules,
                      std::vector<double> params, std::vector<double> options, int64_t limit,
                      PyPlayer& player, const py::object& search_rule, int64_t episodes, uint64_t seed,
                      int64_t num_envs, int64_t threads) {
    const Use use(player.used());
    const RolloutTask task = make_task(stem, level, isa, shape, table_of(table), rules, std::move(params),
                                       std::move(options), limit, episodes, seed, num_envs, threads);
    const auto decider = [&](int64_t lanes) -> std::unique_ptr<Decider> {
        const SearchPlan& plan = player.plan();
        return locked(plan.level, [&] {
            return make_search(plan, search_rule, shape, task.table, task.params, true, lanes);
        });
    };
    return without_lock({episodes}, [&](const std::function<bool()>& interrupted) {
        if (player.searches()) return rollout(task, decider, interrupted);
        return rollout(task, player.player(), interrupted);
    });
}

// `tensors` have the candidates along their first axis; `policy_rules` is empty for a native level, or has an
// entry for each candidate.
py::tuple run_population(const std::string& stem, const std::string& level,
                         const std::optional<std::string>& isa, const Shape& shape,
                         const std::shared_ptr<PyTable>& table, const py::object& rules,
                         std::vector<double> params, std::vector<double> options, int64_t limit,
                         const std::string& policy, const std::string& policy_level,
                         const std::optional<std::string>& policy_isa, const std::string& head,
                         const std::vector<py::array>& tensors, const std::vector<int64_t>& choices,
                         const std::vector<float>& low, const std::vector<float>& high, bool draws,
                         const std::vector<py::object>& policy_rules, int64_t candidates, int64_t episodes,
                         uint64_t seed, int64_t num_envs, int64_t threads) {
    const RolloutTask task = make_task(stem, level, isa, shape, table_of(table), rules, std::move(params),
                                       std::move(options), limit, episodes, seed, num_envs, threads);
    const bool python = policy_level == "python";
    bool fit = candidates >= 1 && static_cast<int64_t>(policy_rules.size()) == (python ? candidates : 0);
    for (const py::array& tensor : tensors) {
        fit = fit && tensor.ndim() >= 1 && tensor.shape(0) == candidates &&
              (tensor.flags() & py::array::c_style);
    }
    if (!fit) throw py::value_error("the tensors must be stacked and C-contiguous, one entry a candidate");
    const Parameters first{head_of(head), sources(tensors, candidates), choices, low, high, draws};
    const py::object none = py::none();
    const auto player = [&](int64_t candidate) {
        Parameters parameters = first;
        for (Parameters::Source& tensor : parameters.tensors) {
            tensor.data =
                static_cast<const std::byte*>(tensor.data) + static_cast<size_t>(candidate) * tensor.bytes;
        }
        const py::object& rule = python ? policy_rules[static_cast<size_t>(candidate)] : none;
        return std::make_unique<Player>(
            locked(policy_level, [&] { return make_policy(policy, policy_level, policy_isa, rule, shape); }),
            shape, parameters);
    };
    return without_lock({candidates, episodes}, [&](const std::function<bool()>& interrupted) {
        return rollout_population(task, candidates, player, interrupted);
    });
}

// The kernel of a planner or learner.
template <typename Kernel>
Kernel* kernel_of(const KernelEntry<Kernel>* entries, int count, const std::string& stem,
                  const std::string& level, const std::string& isa) {
    const int i = isa_index(isa);
    const std::string reason = missing(static_cast<Isa>(i));
    if (!reason.empty()) throw std::runtime_error(reason);
    const KernelEntry<Kernel>& entry = find(entries, count, stem);
    Kernel* const kernel = level == "cpp" ? entry.cpp[i] : level == "asm" ? entry.assembly[i] : nullptr;
    if (!kernel) throw std::runtime_error("no kernel " + level + "[" + kIsaNames[i] + "] for " + stem);
    return kernel;
}

// ---- planning ----

// counts (states, actions); probabilities, rewards, next states and terminated of the outcomes one after the
// other; values (states,), finite. (values, actions, sweeps, largest change of the last one, seconds).
py::tuple run_sweeps(const std::string& planner, const std::string& level, const std::string& isa,
                     const Integers& counts, const Doubles& probabilities, const Doubles& rewards,
                     const Integers& states, const Integers& terminated, double gamma, const Doubles& values,
                     double tolerance, int64_t most) {
    Backup* const backup = kernel_of(kPlanners, kPlannerCount, planner, level, isa);
    const py::ssize_t outcomes = states.size();
    bool fit = counts.ndim() == 2 && counts.size() && values.ndim() == 1 &&
               values.size() == counts.shape(0) && probabilities.size() == outcomes &&
               rewards.size() == outcomes && terminated.size() == outcomes;
    fit = fit && gamma >= 0.0 && gamma <= 1.0 && tolerance >= 0.0 && most >= 1;
    py::ssize_t left = outcomes;
    for (py::ssize_t row = 0; fit && row < counts.size(); ++row) {
        const int64_t count = counts.data()[row];
        fit = count >= 1 && count <= left;
        left -= count;
    }
    fit = fit && left == 0 && std::all_of(states.data(), states.data() + outcomes, [&](int64_t state) {
              return state >= 0 && state < values.size();
          });
    if (!fit)
        throw py::value_error("the arrays of a table have shapes or numbers that do not belong together");

    const Transitions table{values.size(),  counts.shape(1), counts.data(),    probabilities.data(),
                            rewards.data(), states.data(),   terminated.data()};
    Sweeps sweeps(table, gamma, values.data());
    bool interrupted = false;
    int64_t done;
    std::chrono::duration<double> seconds{};
    {
        const py::gil_scoped_release unlock;
        const auto start = std::chrono::steady_clock::now();
        done = sweeps.run(backup, tolerance, most, [&] {
            const py::gil_scoped_acquire lock;
            interrupted = PyErr_CheckSignals() != 0;
            return interrupted;
        });
        seconds = std::chrono::steady_clock::now() - start;
    }
    if (interrupted) throw py::error_already_set();
    return py::make_tuple(copied(sweeps.values(), {values.size()}), copied(sweeps.best(), {values.size()}),
                          done, sweeps.change(), seconds.count());
}

// ---- learning ----

class PyLearning {
  public:
    // rule is None for a native level.
    PyLearning(PyBatch& batch, const std::string& learner, const std::string& level,
               const std::optional<std::string>& isa, const py::object& rule, double alpha, double gamma,
               double epsilon, int64_t steps, uint64_t seed)
        : batch_(batch),
          learning_(checked(batch, alpha, gamma, epsilon, steps), kernel(learner, level, isa, rule),
                    {alpha, gamma, epsilon, steps}, seed) {}

    // Seconds that the steps took.
    double run(int64_t steps) {
        const Use use(batch_.used());
        if (steps < 1) throw py::value_error("steps must be at least 1");
        bool interrupted = false;
        std::chrono::duration<double> seconds{};
        {
            const py::gil_scoped_release unlock;
            const auto start = std::chrono::steady_clock::now();
            learning_.run(steps, [&] {
                const py::gil_scoped_acquire lock;
                interrupted = PyErr_CheckSignals() != 0;
                return interrupted;
            });
            seconds = std::chrono::steady_clock::now() - start;
        }
        if (interrupted) throw py::error_already_set();
        return seconds.count();
    }

    // Seconds that the learner alone takes, called so many times.
    double repeat(int64_t times) {
        const Use use(batch_.used());
        const py::gil_scoped_release unlock;
        const auto start = std::chrono::steady_clock::now();
        learning_.repeat(times);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        return seconds.count();
    }

    py::array_t<double> values() {
        const Use use(batch_.used());
        return copied(learning_.values(), {learning_.states(), kLanes});
    }
    int64_t done() const { return learning_.done(); }
    int64_t episodes() const { return learning_.episodes(); }
    double total() const { return learning_.total(); }

  private:
    static Stepper& checked(PyBatch& batch, double alpha, double gamma, double epsilon, int64_t steps) {
        Stepper& stepper = batch.stepper();
        const Shape& shape = stepper.lanes().shape;
        const auto share = [](double x) { return x >= 0.0 && x <= 1.0; };
        if (!batch.started() || stepper.autoreset() != Autoreset::next_step || !shape.observations ||
            !shape.actions || shape.actions > kLanes || !share(alpha) || !share(gamma) || !share(epsilon) ||
            steps < 1) {
            throw py::value_error("this batch cannot be learned from, or not with these numbers");
        }
        return stepper;
    }

    static std::function<void(const TdStep&)> kernel(const std::string& learner, const std::string& level,
                                                     const std::optional<std::string>& isa,
                                                     const py::object& rule) {
        if (level == "python") {
            return [rule](const TdStep& step) {
                const py::gil_scoped_acquire lock;
                rule(TdView{step});
            };
        }
        Learn* const learn = kernel_of(kLearners, kLearnerCount, learner, level, isa.value());
        return [learn](const TdStep& step) { learn(&step); };
    }

    PyBatch& batch_;
    Learning learning_;
};

// ---- the registry, for Python ----

template <typename Kernel>
std::vector<std::string> isas_of(Kernel* const (&kernels)[kIsas]) {
    std::vector<std::string> names;
    for (int i = 0; i < kIsas; ++i) {
        if (kernels[i]) names.emplace_back(kIsaNames[i]);
    }
    return names;
}

py::list games() {
    py::list list;
    for (int i = 0; i < kGameCount; ++i) {
        const GameEntry& entry = kGames[i];
        py::dict game;
        game["stem"] = entry.stem;
        game["kernel"] = entry.kernel;
        game["ids"] = split(entry.ids, ' ');
        game["params"] = split(entry.cpp[0]->params, ',');
        game["state"] = split(entry.cpp[0]->state, ',');
        game["options"] = split(entry.cpp[0]->options, ',');
        game["info"] = entry.cpp[0]->info;
        game["cache"] = entry.cpp[0]->cache;
        game["tabular"] = entry.cpp[0]->tabular;
        game["cpp"] = isas_of(entry.cpp);
        game["asm"] = isas_of(entry.assembly);
        list.append(game);
    }
    return list;
}

py::list policies() {
    py::list list;
    for (int i = 0; i < kPolicyCount; ++i) {
        const PolicyEntry& entry = kPolicies[i];
        py::dict policy;
        policy["stem"] = entry.stem;
        policy["tensors"] = split(entry.cpp[0]->tensors, ',');
        policy["choices"] = split(entry.cpp[0]->choices, ',');
        policy["cpp"] = isas_of(entry.cpp);
        policy["asm"] = isas_of(entry.assembly);
        list.append(policy);
    }
    return list;
}

template <typename Kernel>
py::list entries(const KernelEntry<Kernel>* entries, int count) {
    py::list list;
    for (int i = 0; i < count; ++i) {
        py::dict entry;
        entry["stem"] = entries[i].stem;
        entry["cpp"] = isas_of(entries[i].cpp);
        entry["asm"] = isas_of(entries[i].assembly);
        list.append(entry);
    }
    return list;
}

py::list planners() { return entries(kPlanners, kPlannerCount); }
py::list learners() { return entries(kLearners, kLearnerCount); }

// ---- for the tests of the shared routines ----

template <void (*kSinCos)(double, double&, double&)>
py::tuple sin_cos_of(const Doubles& x) {
    py::array_t<double> sines(x.size()), cosines(x.size());
    for (py::ssize_t i = 0; i < x.size(); ++i) {
        kSinCos(x.data()[i], sines.mutable_data()[i], cosines.mutable_data()[i]);
    }
    return py::make_tuple(sines, cosines);
}

py::array_t<uint64_t> seed_streams(const Words& low, const Words& high, std::optional<uint32_t> spawn_key) {
    if (low.ndim() != 1 || high.ndim() != 1 || low.size() != high.size()) {
        throw py::value_error("low and high must have one shape (n,)");
    }
    py::array_t<uint64_t> streams({static_cast<py::ssize_t>(kStreamFields), low.size()});
    for (py::ssize_t i = 0; i < low.size(); ++i) {
        if (spawn_key) {
            baseline::seed_spawned(streams.mutable_data(), low.size(), i, low.data()[i], high.data()[i],
                                   *spawn_key);
        } else {
            baseline::seed(streams.mutable_data(), low.size(), i, low.data()[i], high.data()[i]);
        }
    }
    return streams;
}

py::array_t<double> draw(py::array_t<uint64_t, py::array::c_style>& streams,
                         const py::array_t<int64_t, py::array::c_style>& kind, const Doubles& low,
                         const Doubles& high) {
    const bool fits = streams.ndim() == 2 && streams.shape(0) == kStreamFields && low.size() == kind.size() &&
                      high.size() == kind.size();
    if (!fits) throw py::value_error("streams must have shape (5, n); kind, low, high one length");
    const py::ssize_t n = streams.shape(1);
    py::array_t<double> values({kind.size(), n});
    for (py::ssize_t i = 0; i < n; ++i) {
        baseline::Pcg64 rng(streams.mutable_data(), n, i);
        for (py::ssize_t j = 0; j < kind.size(); ++j) {
            const double a = low.data()[j], b = high.data()[j];
            double& value = values.mutable_data()[j * n + i];
            switch (kind.data()[j]) {
                case 0:
                    value = rng.random();
                    break;
                case 1:
                    value = rng.uniform(a, b);
                    break;
                default:
                    value = static_cast<double>(rng.integers(static_cast<int64_t>(b)));
            }
        }
        rng.store();
    }
    return values;
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "The native core of compute_layers; use the package's public names instead.";
    m.attr("__version__") = build::kVersion;
    m.attr("commit") = build::kCommit;
    m.attr("build") = build::kConfiguration;
    m.attr("compiler") = build::kCompiler;
    m.attr("flags") = build::kFlags;
    m.attr("isas") = py::tuple(py::cast(std::vector<std::string>(kIsaNames, kIsaNames + kIsas)));
    // Not for Python: tests/native calls the kernels of the binary that ships by their addresses.
    m.attr("kernels") = py::capsule(&kKernels, Kernels::kName);
    m.def("cpu_name", &cpu_name);
    m.def(
        "missing", [](const std::string& isa) { return missing(static_cast<Isa>(isa_index(isa))); },
        py::arg("isa"), "Why this machine cannot run code for the isa; empty if it can.");
    m.def("games", &games,
          "The registered games: names of their fields, and the isas of their native levels.");
    m.def("policies", &policies, "The registered policy families, likewise.");
    m.def("planners", &planners, "The registered planners, likewise.");
    m.def("learners", &learners, "The registered learners, likewise.");

    py::class_<Shape>(m, "Shape", "Sizes of a game's arrays.")
        .def(py::init([](int64_t params, int64_t options, int64_t fields, int64_t observations,
                         int64_t observation, int64_t actions, int64_t action, int64_t info, int64_t cache,
                         std::vector<int64_t> radix) {
                 return Shape{params,  options, fields, observations, observation,
                              actions, action,  info,   cache,        std::move(radix)};
             }),
             py::kw_only(), py::arg("params"), py::arg("options"), py::arg("fields"), py::arg("observations"),
             py::arg("observation"), py::arg("actions"), py::arg("action"), py::arg("info"), py::arg("cache"),
             py::arg("radix"));

    py::class_<PyTable, std::shared_ptr<PyTable>>(m, "Table", "A tabular game's transitions (cpp/table.hpp).")
        .def(py::init<const Words&, const Doubles&, const Doubles&, const Integers&, const Integers&,
                      const Words&, const Integers&>(),
             py::kw_only(), py::arg("thresholds"), py::arg("probabilities"), py::arg("rewards"),
             py::arg("states"), py::arg("terminated"), py::arg("start_thresholds"), py::arg("start_states"))
        .def_property_readonly(
            "address", [](const PyTable& table) { return reinterpret_cast<uintptr_t>(table.get()); },
            "Of the struct, for tests that call kernels by their addresses.");

    py::class_<BatchView>(m, "BatchView", "A kernel's Batch (cpp/batch.hpp) as level python sees it.")
        .def_property_readonly("valid", [](const BatchView& v) { return v.batch.valid; })
        .def_property_readonly("stride", [](const BatchView& v) { return v.batch.stride; })
        .def_property_readonly("limit", [](const BatchView& v) { return v.batch.limit; })
        .def_property_readonly(
            "params",
            [](const BatchView& v) { return flat(const_cast<double*>(v.batch.params), v.shape.params); })
        .def(
            "field",
            [](const BatchView& v, int64_t field, bool integers) {
                if (field < 0 || field >= v.shape.fields) throw py::index_error("no such field");
                double* const data = v.batch.state + field * v.batch.stride;
                return integers ? flat(reinterpret_cast<int64_t*>(data), v.batch.valid)
                                : flat(data, v.batch.valid);
            },
            py::arg("field"), py::arg("integers"))
        .def(
            "info",
            [](const BatchView& v, int64_t field) {
                if (field < 0 || field >= v.shape.info) throw py::index_error("no such field");
                return flat(v.batch.info + field * v.batch.stride, v.batch.valid);
            },
            py::arg("field"))
        .def_property_readonly("stream",
                               [](const BatchView& v) {
                                   return flat(v.batch.stream,
                                               (kStreamFields - 1) * v.batch.stride + v.batch.valid);
                               })
        .def_property_readonly("elapsed",
                               [](const BatchView& v) { return flat(v.batch.elapsed, v.batch.valid); })
        .def_property_readonly("reward",
                               [](const BatchView& v) { return flat(v.batch.reward, v.batch.valid); })
        .def_property_readonly("terminated",
                               [](const BatchView& v) { return flat(v.batch.terminated, v.batch.valid); })
        .def_property_readonly("truncated",
                               [](const BatchView& v) { return flat(v.batch.truncated, v.batch.valid); })
        .def_property_readonly("action",
                               [](const BatchView& v) {
                                   return numbers(v.batch.action, v.shape.actions > 0,
                                                  v.batch.valid * (v.shape.actions ? 1 : v.shape.action));
                               })
        .def_property_readonly("observation", [](const BatchView& v) {
            return numbers(v.batch.observation, v.shape.observations > 0,
                           v.batch.valid * v.shape.observation);
        });

    py::class_<PolicyView>(m, "PolicyView", "A kernel's PolicyBatch (cpp/batch.hpp) as level python sees it.")
        .def_property_readonly("valid", [](const PolicyView& v) { return v.batch.valid; })
        .def_property_readonly("stride", [](const PolicyView& v) { return v.batch.stride; })
        .def_property_readonly("observation",
                               [](const PolicyView& v) {
                                   return numbers(v.batch.observation, v.shape.observations > 0,
                                                  v.batch.valid * v.shape.observation);
                               })
        .def_property_readonly("action",
                               [](const PolicyView& v) {
                                   return numbers(v.batch.action, v.shape.actions > 0,
                                                  v.batch.valid * (v.shape.actions ? 1 : v.shape.action));
                               })
        .def_property_readonly("stream", [](const PolicyView& v) {
            return flat(v.batch.stream, (kStreamFields - 1) * v.batch.stride + v.batch.valid);
        });

    py::class_<TdView>(m, "TdView", "A learner's TdStep (cpp/learner.hpp) as level python sees it.")
        .def_property_readonly("valid", [](const TdView& v) { return v.step.valid; })
        .def_property_readonly("actions", [](const TdView& v) { return v.step.actions; })
        .def_property_readonly("end", [](const TdView& v) { return v.step.end; })
        .def_property_readonly("alpha", [](const TdView& v) { return v.step.alpha; })
        .def_property_readonly("gamma", [](const TdView& v) { return v.step.gamma; })
        .def_property_readonly("epsilon", [](const TdView& v) { return v.step.epsilon; })
        .def_property_readonly("values",
                               [](const TdView& v) { return flat(v.step.values, v.step.end + v.step.n); })
        .def_property_readonly("cells", [](const TdView& v) { return each(v, v.step.cells); })
        .def_property_readonly("next_cells", [](const TdView& v) { return each(v, v.step.next_cells); })
        .def_property_readonly("seen", [](const TdView& v) { return each(v, v.step.seen); })
        .def_property_readonly("reward", [](const TdView& v) { return each(v, v.step.reward); })
        .def_property_readonly("elapsed", [](const TdView& v) { return each(v, v.step.elapsed); })
        .def_property_readonly("terminated", [](const TdView& v) { return each(v, v.step.terminated); })
        .def_property_readonly("uniform", [](const TdView& v) { return each(v, v.step.uniform); })
        .def_property_readonly("action", [](const TdView& v) { return each(v, v.step.action); })
        .def_property_readonly("target", [](const TdView& v) { return each(v, v.step.target); });

    py::class_<PyBatch>(m, "Batch", "n copies of one game, stepped together at one level.")
        .def(py::init<const std::string&, const std::string&, const std::optional<std::string>&, const Shape&,
                      std::shared_ptr<PyTable>, int64_t, int64_t, const std::string&, std::vector<double>,
                      std::vector<double>, const py::object&, bool>(),
             py::kw_only(), py::arg("stem"), py::arg("level"), py::arg("isa"), py::arg("shape"),
             py::arg("table"), py::arg("num_envs"), py::arg("limit"), py::arg("autoreset"), py::arg("params"),
             py::arg("options"), py::arg("rules"), py::arg("copy"))
        .def("step", &PyBatch::step, py::arg("actions"))
        .def("step_one", &PyBatch::step_one, py::arg("action"))
        .def("reset", &PyBatch::reset, py::arg("lanes"), py::arg("options"))
        .def("restart", &PyBatch::restart)
        .def("seed", &PyBatch::seed, py::arg("lanes"), py::arg("low"), py::arg("high"))
        .def("observations", &PyBatch::observations)
        .def("observation", &PyBatch::observation)
        .def("repeat", &PyBatch::repeat, py::arg("actions"), py::arg("times"))
        .def("restored", &PyBatch::restored)
        .def("resume", &PyBatch::resume)
        .def("moved", &PyBatch::moved)
        .def("set_parking", &PyBatch::set_parking, py::arg("parking"))
        .def("damaged", &PyBatch::damaged,
             "Index of the first array whose surrounding canary bytes were overwritten; -1 if none.")
        .def_property("params", &PyBatch::params, &PyBatch::set_params)
        .def_property_readonly("started", &PyBatch::started)
        .def_property_readonly("state", &PyBatch::state)
        .def_property_readonly("stream", &PyBatch::stream)
        .def_property_readonly("info", &PyBatch::info)
        .def_property_readonly("elapsed", &PyBatch::elapsed)
        .def_property_readonly("parked", &PyBatch::parked);

    py::class_<PyPlayer>(
        m, "Player", "A policy with its parameters, at one level.",
        py::custom_type_setup([](PyHeapTypeObject* type) { type->ht_type.tp_call = call_player; }))
        .def(py::init<const std::string&, const std::string&, const std::optional<std::string>&,
                      const std::string&, const Shape&, const std::vector<py::array>&, std::vector<int64_t>,
                      std::vector<float>, std::vector<float>, bool, int64_t, const py::object&>(),
             py::kw_only(), py::arg("stem"), py::arg("level"), py::arg("isa"), py::arg("head"),
             py::arg("shape"), py::arg("tensors"), py::arg("choices"), py::arg("low"), py::arg("high"),
             py::arg("draws"), py::arg("steps"), py::arg("rule"))
        .def(
            py::init<const std::string&, const std::string&, const std::optional<std::string>&, const Shape&,
                     std::optional<std::shared_ptr<PyTable>>, const std::vector<double>&,
                     const std::vector<int64_t>&, std::vector<float>, std::vector<float>, const py::object&,
                     std::vector<std::string>, std::vector<bool>, std::vector<double>, std::vector<double>>(),
            py::kw_only(), py::arg("game"), py::arg("level"), py::arg("isa"), py::arg("shape"),
            py::arg("table"), py::arg("params"), py::arg("settings"), py::arg("low"), py::arg("high"),
            py::arg("rule"), py::arg("fields"), py::arg("integers"), py::arg("least"), py::arg("most"))
        .def("repeat", &PyPlayer::repeat, py::arg("observation"), py::arg("times"))
        .def_property("_streams", &PyPlayer::streams, &PyPlayer::set_streams)
        .def("_seed", &PyPlayer::seed, py::arg("low"), py::arg("high"))
        .def("_act", &PyPlayer::call, py::arg("observation"), py::kw_only(), py::arg("elapsed") = py::none());

    py::class_<PyLearning>(m, "Learning", "Temporal-difference learning with the lanes of a batch.")
        .def(py::init<PyBatch&, const std::string&, const std::string&, const std::optional<std::string>&,
                      const py::object&, double, double, double, int64_t, uint64_t>(),
             py::keep_alive<1, 2>(), py::kw_only(), py::arg("batch"), py::arg("learner"), py::arg("level"),
             py::arg("isa"), py::arg("rule"), py::arg("alpha"), py::arg("gamma"), py::arg("epsilon"),
             py::arg("steps"), py::arg("seed"))
        .def("run", &PyLearning::run, py::arg("steps"),
             "Take so many steps of those that are left; the seconds that it took.")
        .def("repeat", &PyLearning::repeat, py::arg("times"),
             "Call the learner alone so many times, for measuring; the seconds that it took.")
        .def("values", &PyLearning::values,
             "Q, a row of 8 for each observation: -inf behind the last action.")
        .def_property_readonly("done", &PyLearning::done, "Steps of each lane so far.")
        .def_property_readonly("episodes", &PyLearning::episodes, "Episodes that have ended so far.")
        .def_property_readonly("total", &PyLearning::total, "The sum of their returns.");

    m.def("rollout", &run_rollout, py::kw_only(), py::arg("stem"), py::arg("level"), py::arg("isa"),
          py::arg("shape"), py::arg("table"), py::arg("rules"), py::arg("params"), py::arg("options"),
          py::arg("limit"), py::arg("player"), py::arg("search_rule"), py::arg("episodes"), py::arg("seed"),
          py::arg("num_envs"), py::arg("threads"), "(returns, lengths, seconds).");
    m.def("rollout_population", &run_population, py::kw_only(), py::arg("stem"), py::arg("level"),
          py::arg("isa"), py::arg("shape"), py::arg("table"), py::arg("rules"), py::arg("params"),
          py::arg("options"), py::arg("limit"), py::arg("policy"), py::arg("policy_level"),
          py::arg("policy_isa"), py::arg("head"), py::arg("tensors"), py::arg("choices"), py::arg("low"),
          py::arg("high"), py::arg("draws"), py::arg("policy_rules"), py::arg("candidates"),
          py::arg("episodes"), py::arg("seed"), py::arg("num_envs"), py::arg("threads"),
          "(returns, lengths, seconds), the arrays with a row for each candidate.");

    m.def("sweep", &run_sweeps, py::kw_only(), py::arg("planner"), py::arg("level"), py::arg("isa"),
          py::arg("counts"), py::arg("probabilities"), py::arg("rewards"), py::arg("states"),
          py::arg("terminated"), py::arg("gamma"), py::arg("values"), py::arg("tolerance"), py::arg("most"),
          "(values, actions, sweeps, largest change of the last one, seconds).");

    m.def("sin_cos", &sin_cos_of<baseline::sin_cos>, py::arg("x"));
    m.def("sin_cos_near", &sin_cos_of<baseline::sin_cos_near>, py::arg("x"));
    m.def("seed_streams", &seed_streams, py::arg("low"), py::arg("high"), py::arg("spawn_key") = py::none());
    m.def("draw", &draw, py::arg("streams"), py::arg("kind"), py::arg("low"), py::arg("high"));
}

}  // namespace compute_layers
