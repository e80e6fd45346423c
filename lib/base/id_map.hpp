// A map by ids, which are digests and addresses: ordered as std::map is, and found in a few steps.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <bit>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

namespace mizan {

/// A trie of sixteen ways, a step for each half byte of the key, as deep as it takes to tell the
/// keys apart: among a million digests a key is five steps away, where a balanced tree takes
/// twenty. Iteration is in the order of the keys. A value stays where it is until it is erased, and
/// nothing is ever rehashed. Whoever makes up keys can deepen the path of those alone, and to 64
/// steps at most.
///
/// As std::map, of which it has the functions that are used here. `Key` has `view()`: the bytes by
/// which it is ordered, of one length for all. Copies are deep.
template <class Key, class Value>
class IdMap {
  struct Node;
  struct Leaf;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using value_type = std::pair<const Key, Value>;

  template <bool kConst>
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = IdMap::value_type;
    using reference = std::conditional_t<kConst, const value_type&, value_type&>;
    using pointer = std::conditional_t<kConst, const value_type*, value_type*>;

    Iterator() = default;
    template <bool kOther>
    requires(kConst && !kOther)
        Iterator(const Iterator<kOther>& other)  // NOLINT(google-explicit-constructor): as std::map
        : leaf_(other.leaf_) {}
    reference operator*() const { return leaf_->entry; }
    pointer operator->() const { return &leaf_->entry; }
    Iterator& operator++() {
      leaf_ = after(leaf_->parent, leaf_->place);
      return *this;
    }
    Iterator operator++(int) { return std::exchange(*this, Iterator(*this).operator++()); }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    friend class IdMap;
    template <bool>
    friend class Iterator;
    explicit Iterator(Leaf* leaf) : leaf_(leaf) {}
    Leaf* leaf_ = nullptr;
  };
  using iterator = Iterator<false>;
  using const_iterator = Iterator<true>;

  IdMap() = default;
  IdMap(const IdMap& other) {
    for (const auto& [key, value] : other) emplace(key, value);
  }
  IdMap(IdMap&& other) noexcept
      : root_(std::move(other.root_)), size_(std::exchange(other.size_, 0)) {}
  IdMap& operator=(IdMap other) noexcept {
    std::swap(root_, other.root_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~IdMap() { clear(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    if (root_) root_->destroy();
    root_.reset();
    size_ = 0;
  }

  iterator begin() { return iterator(first()); }
  iterator end() { return iterator(); }
  const_iterator begin() const { return const_iterator(first()); }
  const_iterator end() const { return const_iterator(); }
  iterator find(const Key& key) { return iterator(look(key)); }
  const_iterator find(const Key& key) const { return const_iterator(look(key)); }
  bool contains(const Key& key) const { return look(key) != nullptr; }

  /// Makes a Value of the arguments, unless the key is there.
  template <class... Args>
  std::pair<iterator, bool> try_emplace(const Key& key, Args&&... args) {
    if (!root_) root_ = std::make_unique<Node>();
    Node* node = root_.get();
    size_t depth = 0;
    uint8_t at = step(key, depth);
    while (node->used(at) && !node->is_leaf(at)) {
      node = node->child(at);
      at = step(key, ++depth);
    }
    if (node->used(at)) {
      Leaf* other = node->leaf(at);
      if (other->entry.first == key) return {iterator(other), false};
      // Both go down together until their keys differ.
      while (true) {
        auto* below = new Node;
        below->parent = node;
        below->place = at;
        node->put(at, below);
        node = below;
        ++depth;
        const uint8_t its = step(other->entry.first, depth);
        at = step(key, depth);
        node->put(its, other);
        if (its != at) break;
      }
    }
    auto* leaf = new Leaf{{std::piecewise_construct, std::forward_as_tuple(key),
                           std::forward_as_tuple(std::forward<Args>(args)...)}};
    node->put(at, leaf);
    ++size_;
    return {iterator(leaf), true};
  }
  template <class V>
  std::pair<iterator, bool> emplace(const Key& key, V&& value) {
    return try_emplace(key, std::forward<V>(value));
  }
  template <class V>
  std::pair<iterator, bool> insert_or_assign(const Key& key, V&& value) {
    const auto [it, added] = try_emplace(key);
    it->second = std::forward<V>(value);
    return {it, added};
  }
  Value& operator[](const Key& key) { return try_emplace(key).first->second; }

  void erase(iterator it) {
    Node* node = it.leaf_->parent;
    node->remove(it.leaf_->place);
    delete it.leaf_;
    --size_;
    // A leaf that has a node for itself moves up.
    while (node->parent != nullptr && std::has_single_bit(node->used_) &&
           node->leaves_ == node->used_) {
      Node* above = node->parent;
      above->put(node->place, node->leaf(static_cast<uint8_t>(std::countr_zero(node->used_))));
      delete std::exchange(node, above);
    }
  }
  size_t erase(const Key& key) {
    const iterator it = find(key);
    if (it == end()) return 0;
    erase(it);
    return 1;
  }

  friend bool operator==(const IdMap& a, const IdMap& b) {
    if (a.size_ != b.size_) return false;
    const_iterator other = b.begin();
    for (const auto& entry : a)
      if (!(entry == *other++)) return false;
    return true;
  }

 private:
  struct Leaf {
    value_type entry;
    Node* parent = nullptr;
    uint8_t place = 0;
  };
  /// Below any but the root there are two leaves at least.
  struct Node {
    Node* parent = nullptr;
    uint8_t place = 0;  ///< in the parent
    uint16_t used_ = 0;
    uint16_t leaves_ = 0;
    std::array<void*, 16> children_;  // those that `used_` names

    bool used(uint8_t at) const { return (used_ >> at & 1) != 0; }
    bool is_leaf(uint8_t at) const { return (leaves_ >> at & 1) != 0; }
    Node* child(uint8_t at) const { return static_cast<Node*>(children_[at]); }
    Leaf* leaf(uint8_t at) const { return static_cast<Leaf*>(children_[at]); }
    static uint16_t bit(uint8_t at) { return static_cast<uint16_t>(1U << at); }
    void put(uint8_t at, Node* node) {
      used_ |= bit(at);
      leaves_ &= static_cast<uint16_t>(~bit(at));
      children_[at] = node;
    }
    void put(uint8_t at, Leaf* leaf) {
      used_ |= bit(at);
      leaves_ |= bit(at);
      children_[at] = leaf;
      leaf->parent = this;
      leaf->place = at;
    }
    void remove(uint8_t at) {
      used_ &= static_cast<uint16_t>(~bit(at));
      leaves_ &= static_cast<uint16_t>(~bit(at));
    }
    void destroy() {
      for (uint8_t at = 0; at < 16; ++at) {
        if (!used(at)) continue;
        if (is_leaf(at)) {
          delete leaf(at);
        } else {
          child(at)->destroy();
          delete child(at);
        }
      }
    }
  };

  static uint8_t step(const Key& key, size_t depth) {
    const uint8_t byte = key.view()[depth / 2];
    return depth % 2 == 0 ? byte >> 4 : byte & 15;
  }
  Leaf* look(const Key& key) const {
    const Node* node = root_.get();
    if (node == nullptr) return nullptr;
    for (size_t depth = 0;; ++depth) {
      const uint8_t at = step(key, depth);
      if (!node->used(at)) return nullptr;
      if (node->is_leaf(at)) {
        Leaf* found = node->leaf(at);
        return found->entry.first == key ? found : nullptr;
      }
      node = node->child(at);
    }
  }
  Leaf* first() const { return size_ == 0 ? nullptr : least(root_.get(), root_->used_); }
  /// The least leaf below `node` in the places of `among`, which is not empty.
  static Leaf* least(const Node* node, uint32_t among) {
    auto at = static_cast<uint8_t>(std::countr_zero(among));
    while (!node->is_leaf(at)) {
      node = node->child(at);
      at = static_cast<uint8_t>(std::countr_zero(node->used_));
    }
    return node->leaf(at);
  }
  static Leaf* after(const Node* node, uint8_t place) {
    while (true) {
      const uint32_t above = node->used_ & ~((uint32_t{2} << place) - 1);
      if (above != 0) return least(node, above);
      if (node->parent == nullptr) return nullptr;
      place = node->place;
      node = node->parent;
    }
  }

  std::unique_ptr<Node> root_;
  size_t size_ = 0;
};

}  // namespace mizan
