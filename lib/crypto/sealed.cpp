#include "crypto/sealed.hpp"

#include "base/ensure.hpp"
#include "crypto/random.hpp"

#include <sodium.h>

#include <algorithm>
#include <utility>

namespace mizan {
namespace {

constexpr std::string_view kMagic = "MIZANBX1";
constexpr size_t kKeySize = crypto_secretstream_xchacha20poly1305_KEYBYTES;
constexpr size_t kSealedKeySize = kKeySize + crypto_box_SEALBYTES;
constexpr size_t kHeaderSize = crypto_secretstream_xchacha20poly1305_HEADERBYTES;
constexpr size_t kPreludeSize = kMagic.size() + kSealedKeySize + kHeaderSize;
constexpr size_t kChunk = 65'536;
constexpr size_t kExtra = crypto_secretstream_xchacha20poly1305_ABYTES;
constexpr size_t kSealedChunk = kChunk + kExtra;

void start_sodium() {
  static const bool started = sodium_init() >= 0;
  ensure(started, "libsodium starts");
}

tl::unexpected<Error> corrupted(std::string why) {
  return fail(ErrorCode::corrupted, "the sealed stream is damaged: " + std::move(why));
}

/// Calls `use` with each run of exactly `size` bytes, keeping what is left over in `buffer`; a full
/// buffer waits for the next byte if `keep_last`. `buffer` never grows above `size`.
template <class Use>
Result<void> in_chunks(Bytes& buffer, ByteView bytes, size_t size, bool keep_last, Use use) {
  while (!bytes.empty()) {
    if (buffer.size() == size) {
      MIZAN_CHECK(use(ByteView(buffer)));
      buffer.clear();
    }
    const size_t step = std::min(bytes.size(), size - buffer.size());
    append(buffer, bytes.first(step));
    bytes = bytes.subspan(step);
  }
  if (!keep_last && buffer.size() == size) {
    MIZAN_CHECK(use(ByteView(buffer)));
    buffer.clear();
  }
  return {};
}

struct StreamState {
  crypto_secretstream_xchacha20poly1305_state stream{};
  ByteSink sink;
  Bytes buffer;  // at most one chunk
  Bytes output;

  StreamState() = default;
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;
  ~StreamState() {
    sodium_memzero(&stream, sizeof stream);
    wipe(buffer);
    wipe(output);
  }
};

}  // namespace

BoxKey BoxKey::generate() {
  start_sodium();
  BoxKey key;
  crypto_box_keypair(key.public_key_.bytes.data(), key.secret_.data());
  return key;
}

Result<BoxKey> BoxKey::from_bytes(ByteView secret) {
  start_sodium();
  BoxKey key;
  if (secret.size() != key.secret_.size())
    return fail(ErrorCode::invalid_argument, "an X25519 key has 32 bytes");
  std::copy(secret.begin(), secret.end(), key.secret_.begin());
  crypto_scalarmult_base(key.public_key_.bytes.data(), key.secret_.data());
  return key;
}

BoxKey::BoxKey(BoxKey&& other) noexcept : secret_(other.secret_), public_key_(other.public_key_) {
  wipe(other.secret_);
}

BoxKey& BoxKey::operator=(BoxKey&& other) noexcept {
  if (this != &other) {
    secret_ = other.secret_;
    public_key_ = other.public_key_;
    wipe(other.secret_);
  }
  return *this;
}

BoxKey::~BoxKey() {
  wipe(secret_);
}

struct Sealer::State : StreamState {
  bool finished = false;

  Result<void> push(ByteView plain, uint8_t tag) {
    output.resize(plain.size() + kExtra);
    ensure(crypto_secretstream_xchacha20poly1305_push(&stream, output.data(), nullptr, plain.data(),
                                                      plain.size(), nullptr, 0, tag) == 0,
           "libsodium encrypts a chunk");
    return sink(output);
  }
};

Sealer::Sealer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer::~Sealer() = default;

Result<Sealer> Sealer::begin(const BoxPublicKey& recipient, ByteSink sink) {
  start_sodium();
  auto state = std::make_unique<State>();
  state->sink = std::move(sink);
  Bytes prelude(kPreludeSize);
  std::copy(kMagic.begin(), kMagic.end(), prelude.begin());
  std::array<uint8_t, kKeySize> key{};
  crypto_secretstream_xchacha20poly1305_keygen(key.data());
  const int sealed = crypto_box_seal(prelude.data() + kMagic.size(), key.data(), key.size(),
                                     recipient.bytes.data());
  crypto_secretstream_xchacha20poly1305_init_push(
      &state->stream, prelude.data() + kMagic.size() + kSealedKeySize, key.data());
  wipe(key);
  if (sealed != 0)
    return fail(ErrorCode::invalid_argument, "the recipient's X25519 public key is not usable");
  MIZAN_CHECK(state->sink(prelude));
  return Sealer(std::move(state));
}

Result<void> Sealer::write(ByteView plain) {
  ensure(!state_->finished, "nothing is sealed after the last chunk");
  return in_chunks(state_->buffer, plain, kChunk, true, [this](ByteView chunk) {
    return state_->push(chunk, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
  });
}

Result<void> Sealer::finish() {
  ensure(!state_->finished, "a sealed stream ends once");
  state_->finished = true;
  return state_->push(state_->buffer, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
}

struct Opener::State : StreamState {
  const BoxKey* key = nullptr;
  enum class Phase { prelude, chunks, ended, failed } phase = Phase::prelude;

  Result<void> read_prelude(ByteView prelude) {
    if (as_text(prelude.first(kMagic.size())) != kMagic)
      return corrupted("it does not begin as one");
    std::array<uint8_t, kKeySize> stream_key{};
    const uint8_t* sealed = prelude.data() + kMagic.size();
    const bool opened =
        crypto_box_seal_open(stream_key.data(), sealed, kSealedKeySize,
                             key->public_key().bytes.data(), key->reveal().data()) == 0;
    const bool started = opened && crypto_secretstream_xchacha20poly1305_init_pull(
                                       &stream, sealed + kSealedKeySize, stream_key.data()) == 0;
    wipe(stream_key);
    if (!started)
      return fail(ErrorCode::forbidden, "the stream is sealed to another key, or damaged");
    phase = Phase::chunks;
    return {};
  }

  Result<void> read_chunk(ByteView chunk) {
    if (phase == Phase::ended) return corrupted("bytes follow its end");
    output.resize(chunk.size() - kExtra);
    uint8_t tag = 0;
    if (crypto_secretstream_xchacha20poly1305_pull(&stream, output.data(), nullptr, &tag,
                                                   chunk.data(), chunk.size(), nullptr, 0) != 0)
      return corrupted("a chunk does not match its seal");
    if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL)
      phase = Phase::ended;
    else if (tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE ||
             chunk.size() < kSealedChunk)
      return corrupted("a chunk is marked wrongly");
    return output.empty() ? Result<void>() : sink(output);
  }

  Result<void> write(ByteView sealed) {
    if (phase == Phase::failed) return corrupted("it failed before");
    if (phase == Phase::prelude) {
      const size_t step = std::min(sealed.size(), kPreludeSize - buffer.size());
      append(buffer, sealed.first(step));
      sealed = sealed.subspan(step);
      if (buffer.size() < kPreludeSize) return {};
      MIZAN_CHECK(read_prelude(buffer));
      buffer.clear();
    }
    if (phase == Phase::ended && !sealed.empty()) return corrupted("bytes follow its end");
    return in_chunks(buffer, sealed, kSealedChunk, false,
                     [this](ByteView chunk) { return read_chunk(chunk); });
  }

  Result<void> finish() {
    if (phase == Phase::chunks && buffer.size() >= kExtra) {
      MIZAN_CHECK(read_chunk(buffer));
      buffer.clear();
    }
    if (phase != Phase::ended || !buffer.empty()) return corrupted("it is cut short");
    return {};
  }

  Result<void> noted(Result<void> result) {
    if (!result) phase = Phase::failed;
    return result;
  }
};

Opener::Opener(const BoxKey& key, ByteSink sink) : state_(std::make_unique<State>()) {
  start_sodium();
  state_->key = &key;
  state_->sink = std::move(sink);
}
Opener::Opener(Opener&&) noexcept = default;
Opener::~Opener() = default;

Result<void> Opener::write(ByteView sealed) {
  return state_->noted(state_->write(sealed));
}

Result<void> Opener::finish() {
  return state_->noted(state_->finish());
}

}  // namespace mizan
