#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace host {

template <class Signature>
class UniqueFunction;

/// A callable that is moved, never copied, so that callbacks can own what they capture.
/// Calling an empty one is a defect. Not thread-safe.
template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;
  UniqueFunction(std::nullptr_t) {}  // NOLINT: implicit
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, UniqueFunction>)
      UniqueFunction(F&& f)  // NOLINT: implicit
      : impl_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(f))) {}

  explicit operator bool() const { return impl_ != nullptr; }
  R operator()(Args... args) { return impl_->call(std::forward<Args>(args)...); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct Holder final : Base {
    explicit Holder(F f) : f_(std::move(f)) {}
    R call(Args... args) override { return f_(std::forward<Args>(args)...); }
    F f_;
  };
  std::unique_ptr<Base> impl_;
};

}  // namespace host
