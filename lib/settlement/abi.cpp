#include "settlement/abi.hpp"

#include "crypto/hash.hpp"

#include <algorithm>

namespace mizan::settlement {
namespace {

constexpr size_t kWord = 32;

std::array<uint8_t, kWord> number_word(u128 number) {
  std::array<uint8_t, kWord> word{};
  for (size_t i = 0; i < 16; ++i) word[kWord - 1 - i] = static_cast<uint8_t>(number >> (8 * i));
  return word;
}

u128 read_number(ByteView word) {
  u128 number = 0;
  for (const uint8_t byte : word) number = number << 8 | byte;
  return number;
}

bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

Selector selector(std::string_view signature) {
  const Hash32 hash = keccak256(signature);
  return {hash.bytes[0], hash.bytes[1], hash.bytes[2], hash.bytes[3]};
}

AbiTuple& AbiTuple::raw(ByteView word) {
  append(head_, word);
  return *this;
}

AbiTuple& AbiTuple::word(const Address& address) {
  append(head_, std::array<uint8_t, 12>{});
  return raw(address.view());
}

AbiTuple& AbiTuple::word(u128 number) {
  return raw(number_word(number));
}

AbiTuple& AbiTuple::tail(Bytes encoded) {
  tails_.push_back({head_.size(), std::move(encoded)});
  return raw(number_word(0));
}

Bytes AbiTuple::encode() const {
  Bytes out = head_;
  for (const Tail& tail : tails_) {
    const auto offset = number_word(out.size());
    std::copy(offset.begin(), offset.end(), out.begin() + static_cast<ptrdiff_t>(tail.at));
    append(out, tail.bytes);
  }
  return out;
}

Bytes AbiTuple::call(const Selector& function) const {
  Bytes out(function.begin(), function.end());
  append(out, encode());
  return out;
}

Bytes abi_bytes(ByteView bytes) {
  Bytes out;
  append(out, number_word(bytes.size()));
  append(out, bytes);
  out.resize((out.size() + kWord - 1) / kWord * kWord);
  return out;
}

Bytes abi_static_array(const std::vector<Bytes>& elements) {
  Bytes out;
  append(out, number_word(elements.size()));
  for (const Bytes& element : elements) append(out, element);
  return out;
}

Bytes abi_array(const std::vector<Bytes>& elements) {
  AbiTuple tuple;
  for (const Bytes& element : elements) tuple.tail(element);
  Bytes out;
  append(out, number_word(elements.size()));
  append(out, tuple.encode());
  return out;
}

ByteView AbiReader::next() {
  static constexpr std::array<uint8_t, kWord> kNothing{};
  if (failed_ || left_.size() < kWord) {
    failed_ = true;
    return kNothing;
  }
  const ByteView word = left_.first(kWord);
  left_ = left_.subspan(kWord);
  return word;
}

Address AbiReader::address() {
  const ByteView word = next();
  if (!all_zero(word.first(12))) failed_ = true;
  Address address;
  std::copy(word.begin() + 12, word.end(), address.bytes.begin());
  return address;
}

Hash32 AbiReader::hash() {
  const ByteView word = next();
  Hash32 hash;
  std::copy(word.begin(), word.end(), hash.bytes.begin());
  return hash;
}

U256 AbiReader::number256() {
  return U256{hash().bytes};
}

u128 AbiReader::number() {
  const ByteView word = next();
  if (!all_zero(word.first(16))) failed_ = true;
  return read_number(word.subspan(16));
}

uint64_t AbiReader::number64() {
  const ByteView word = next();
  if (!all_zero(word.first(24))) failed_ = true;
  return static_cast<uint64_t>(read_number(word.subspan(24)));
}

bool AbiReader::flag() {
  const uint64_t number = number64();
  if (number > 1) failed_ = true;
  return number == 1;
}

Selector AbiReader::selector() {
  const ByteView word = next();
  if (!all_zero(word.subspan(4))) failed_ = true;
  return {word[0], word[1], word[2], word[3]};
}

Result<void> AbiReader::finish() const {
  if (failed_ || !left_.empty())
    return fail(ErrorCode::invalid_argument, "the words are not what the contract's ABI says");
  return {};
}

}  // namespace mizan::settlement
