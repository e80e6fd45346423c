#include "load/http_sender.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mizan::bench {
namespace {

[[noreturn]] void give_up(const char* what) {
  perror(what);
  std::exit(1);
}

double thread_cpu_us() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

int connect_from(uint32_t source, uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(source);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("bind");
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    give_up("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace

HttpSender::HttpSender(uint16_t port, size_t connections)
    : epoll_(::epoll_create1(0)), connections_(connections) {
  for (size_t i = 0; i < connections; ++i) {
    connections_[i].fd = connect_from(INADDR_LOOPBACK + 1 + static_cast<uint32_t>(i % 16), port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[i].fd, &event);
  }
}

HttpSender::~HttpSender() {
  for (const Connection& connection : connections_) ::close(connection.fd);
  ::close(epoll_);
}

bool HttpSender::is_whole(const std::string& answer, bool& ok) {
  const size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  constexpr std::string_view kLength = "Content-Length: ";
  const size_t length = answer.find(kLength);
  if (length == std::string::npos || length > head) give_up("an answer without Content-Length");
  if (answer.size() < head + 4 + std::strtoull(&answer[length + kLength.size()], nullptr, 10))
    return false;
  ok = answer[9] == '2';
  return true;
}

SenderResult HttpSender::send(const std::vector<std::string>& requests, OpenLoop& loop) {
  SenderResult result;
  // In turn, so that none is idle until the exchange closes it.
  std::deque<size_t> free;
  for (size_t i = 0; i < connections_.size(); ++i) free.push_back(i);
  size_t next = 0;
  size_t left = requests.size();
  std::array<epoll_event, 256> events{};
  std::array<char, 64 << 10> piece{};
  const double before = thread_cpu_us();
  loop.begin();
  while (left > 0) {
    const Time::time_point now = Time::now();
    while (!free.empty() && next < requests.size() && loop.intended(next) <= now) {
      Connection& connection = connections_[free.front()];
      free.pop_front();
      connection.request = next;
      const std::string& text = requests[next++];
      // A request fits the socket's buffer.
      if (::send(connection.fd, text.data(), text.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(text.size()))
        give_up("send");
    }
    timespec wait{1, 0};
    if (!free.empty() && next < requests.size()) {
      const auto due = std::max(std::chrono::nanoseconds{0},
                                std::chrono::nanoseconds(loop.intended(next) - Time::now()));
      wait = {due.count() / 1'000'000'000, due.count() % 1'000'000'000};
    }
    const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &wait, nullptr);
    for (int e = 0; e < count; ++e) {
      const size_t which = events[static_cast<size_t>(e)].data.u64;
      Connection& connection = connections_[which];
      const ssize_t got = ::recv(connection.fd, piece.data(), piece.size(), 0);
      if (got < 0) give_up("recv");
      if (got == 0) {
        fprintf(stderr, "the exchange closed a connection\n");
        std::exit(1);
      }
      connection.answer.append(piece.data(), static_cast<size_t>(got));
      bool ok = false;
      if (!is_whole(connection.answer, ok)) continue;
      result.last_answer = Time::now();
      loop.answered(connection.request, result.last_answer);
      if (!ok && result.refused++ == 0) fprintf(stderr, "%s\n", connection.answer.c_str());
      connection.answer.clear();
      free.push_back(which);
      --left;
    }
  }
  result.cpu_us = (thread_cpu_us() - before) / static_cast<double>(requests.size());
  return result;
}

}  // namespace mizan::bench
