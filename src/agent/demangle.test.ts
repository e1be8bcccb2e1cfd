import { expect, test } from "vitest";
import { demangle } from "./demangle.ts";

// As c++filt of GNU binutils 2.40 writes them, without arguments, qualifiers, hashes and numbers of lambdas, and with <…> for template arguments.
test.each([
  ["main", "main"],
  ["_Z3foov", "foo"],
  [
    "_ZN2v88internal4Heap14CollectGarbageENS0_15AllocationSpaceENS0_23GarbageCollectionReasonENS_15GCCallbackFlagsE",
    "v8::internal::Heap::CollectGarbage",
  ],
  ["_ZN4node11Environment9RunTimersEP10uv_timer_s", "node::Environment::RunTimers"],
  ["_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<…>::push_back"],
  ["_ZN3fooC1Ev", "foo::foo"],
  ["_ZN3fooD2Ev", "foo::~foo"],
  ["_ZN12_GLOBAL__N_13barEi", "(anonymous namespace)::bar"],
  ["_ZNK3fooeqERKS_", "foo::operator=="],
  ["_ZN3foonwEm", "foo::operator new"],
  ["_ZZ4mainENKUlvE_clEv", "main::{lambda}::operator()"],
  ["_ZNKSs4sizeEv", "std::string::size"],
  ["_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE", "core::fmt::Formatter::write_str"],
  [
    "_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$14grow_amortized17h0123456789abcdefE",
    "alloc::raw_vec::RawVec<T,A>::grow_amortized",
  ],
])("%s", (mangled, plain) => {
  expect(demangle(mangled)).toBe(plain);
});

test.each(["_Z", "_ZN", "_ZN3fo", "_ZTV3foo", "_ZN9999999999fooE", "_RNvC6_123foo3bar"])(
  "%s stays as it is",
  (name) => {
    expect(demangle(name)).toBe(name);
  },
);
