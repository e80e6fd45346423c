// A simulated network: requests and WebSockets between parties and one exchange.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/server.hpp"
#include "simulation/surroundings.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>

namespace mizan::simulation {

/// What a party hears: an answer, or nothing in time (unavailable: it may have been done or not).
struct Heard {
  unsigned status = 0;  ///< 0: nothing was heard
  std::string body;
};

/// A party's end of a WebSocket.
class Ear {
 public:
  virtual ~Ear() = default;
  virtual void on_open() = 0;
  virtual void on_text(const std::string& text) = 0;
  virtual void on_close(const Error& why) = 0;
};

class Connection;

/// Messages of one connection keep their order and come whole, as over TCP, until it breaks; those
/// of requests overtake each other. Nothing is altered.
class Network {
 public:
  /// A party's place in the network.
  using Place = size_t;

  explicit Network(Surroundings& world) : world_(world), random_(world.random.fork("network")) {}

  Place join();
  /// Nothing passes between the place and the exchange for a while.
  void part(Place place, uint64_t ms);
  bool parted(Place place) const { return parted_until_[place] > world_.scheduler.now_ms(); }

  /// Who serves from now on; null: nobody listens. All connections end, without a word to the
  /// server's side, which is gone.
  void serve(net::Handler* handler);

  /// `heard` is called once. With `sink_body` the body goes the way of an upload.
  void request(Place from, net::Request request, std::function<void(Heard)> heard,
               bool upload = false);
  /// Called with each answer when the exchange gives it, heard or not.
  std::function<void(const net::Request&, const net::Response&)> on_answer;
  /// A WebSocket; `ear` hears on_open or on_close. It lives as long as the connection.
  std::shared_ptr<Connection> connect(Place from, net::Request head, std::shared_ptr<Ear> ear);

 private:
  friend class Connection;
  struct Call;
  /// `after_ms` is what it has to wait for in any case.
  uint64_t delay(Place place, uint64_t after_ms = 0);
  /// When a message that leaves now arrives: after a parting, it is sent again.
  uint64_t arrival_in(Place place);
  void arrive(const std::shared_ptr<Call>& call, bool answered);
  void hand_over(const std::shared_ptr<Call>& call, std::shared_ptr<net::BodySink> sink,
                 bool answered);
  void settle(const std::shared_ptr<Call>& call, Heard heard, uint64_t in_ms);

  Surroundings& world_;
  Random random_;
  std::vector<uint64_t> parted_until_;
  net::Handler* handler_ = nullptr;
  uint64_t life_ = 0;  ///< of the server: what it left unanswered is never answered
  std::vector<std::weak_ptr<Connection>> connections_;
  std::vector<std::weak_ptr<Call>> calls_;
};

/// One WebSocket, both of its ends.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Network& network, Network::Place place, std::shared_ptr<Ear> ear)
      : network_(network), place_(place), ear_(std::move(ear)) {}

  void send(std::string text);  ///< from the party
  /// The party lets go of it: hears nothing any more, but the server does.
  void close();

 private:
  friend class Network;
  class ServerSocket;
  void open(const std::shared_ptr<net::SocketHandler>& handler);
  void send_down(std::string text, std::function<void()> sent);
  void close_down(const std::string& why);
  void deliver_up();
  bool may_break();
  void end_client(const Error& why, uint64_t in_ms);
  void end_server(const Error& why, uint64_t in_ms);

  Network& network_;
  Network::Place place_;
  std::shared_ptr<Ear> ear_;  ///< null when the party let go, or has heard the end
  std::shared_ptr<net::SocketHandler> handler_;
  uint64_t life_ = 0;
  bool client_ended_ = false;
  bool server_ended_ = false;
  uint64_t up_free_at_ms_ = 0;
  uint64_t down_free_at_ms_ = 0;
  std::deque<std::string> inbox_;  ///< at the server, which takes one after the other
  bool server_busy_ = false;
};

}  // namespace mizan::simulation
