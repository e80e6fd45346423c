// Sealed streams: bytes of any length that only the holder of an X25519 key can open.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <functional>
#include <memory>

namespace mizan {

/// The format, of libsodium's parts:
///
/// | bytes | what |
/// |---|---|
/// | 8 | "MIZANBX1" |
/// | 80 | the stream's key in a sealed box (crypto_box_seal) to the recipient |
/// | 24 | header of crypto_secretstream_xchacha20poly1305 |
/// | 65,553 each | 65,536 bytes of plain text, encrypted (tag MESSAGE) |
/// | 17 to 65,553 | the last 0 to 65,536 bytes (tag FINAL) |
///
/// A changed, missing, moved or added byte is found. The sender is not authenticated.
using BoxPublicKey = FixedBytes<32, struct BoxPublicKeyTag>;

/// An X25519 key that opens sealed streams. Wiped when it goes, never copied by accident.
class BoxKey {
 public:
  static BoxKey generate();
  static Result<BoxKey> from_bytes(ByteView secret);  ///< 32 bytes
  BoxKey(BoxKey&& other) noexcept;
  BoxKey& operator=(BoxKey&& other) noexcept;
  BoxKey(const BoxKey&) = delete;
  BoxKey& operator=(const BoxKey&) = delete;
  ~BoxKey();

  const BoxPublicKey& public_key() const { return public_key_; }
  ByteView reveal() const { return secret_; }  ///< for writing it into a private file

 private:
  BoxKey() = default;
  std::array<uint8_t, 32> secret_{};
  BoxPublicKey public_key_;
};

/// Takes bytes as they come; an error stops the stream.
using ByteSink = std::function<Result<void>(ByteView)>;

/// Encrypts what is written, into `sink`, at most 64 KiB and a little at once. One thread at a
/// time.
class Sealer {
 public:
  /// The header goes into the sink at once; an unusable public key is an error.
  static Result<Sealer> begin(const BoxPublicKey& recipient, ByteSink sink);
  Sealer(Sealer&&) noexcept;
  ~Sealer();
  Result<void> write(ByteView plain);
  /// Writes the last chunk. Without it the stream counts as cut short. Nothing is written after.
  Result<void> finish();

 private:
  struct State;
  explicit Sealer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Decrypts what is written, into `sink`. Each chunk is authentic when it arrives there, but only
/// `finish` tells whether the stream was whole: until then the output is not to be used.
class Opener {
 public:
  Opener(const BoxKey& key, ByteSink sink);  ///< `key` must outlive it
  Opener(Opener&&) noexcept;
  ~Opener();
  /// forbidden: sealed to another key. corrupted: changed, or bytes after the end.
  Result<void> write(ByteView sealed);
  /// corrupted: cut short.
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mizan
