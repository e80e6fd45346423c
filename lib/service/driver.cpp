#include "service/driver.hpp"

namespace mizan::service {

Driver::Driver(Service& service) : service_(service), thread_([this] { run(); }) {}

Driver::~Driver() {
  stopping_ = true;
  service_.sequencer().wake();
  thread_.join();
}

void Driver::run() {
  constexpr net::Milliseconds kMostIdle{250};
  while (!stopping_ && !service_.sequencer().failed())
    if (!service_.step()) service_.sequencer().wait(service_.idle_for(kMostIdle));
}

ChainDriver::ChainDriver(Service& service, std::function<void(const Error&)> on_failure)
    : service_(service), on_failure_(std::move(on_failure)) {
  if (service.chain() != nullptr) thread_ = std::thread([this] { run(); });
}

ChainDriver::~ChainDriver() {
  stopping_ = true;
  if (!thread_.joinable()) return;
  service_.chain()->wake();
  thread_.join();
}

void ChainDriver::run() {
  constexpr std::chrono::milliseconds kPause{250};
  ChainDesk& desk = *service_.chain();
  while (!stopping_ && !service_.sequencer().failed()) {
    const bool more = desk.step();
    if (desk.failure()) return on_failure_(*desk.failure());
    if (!more) desk.wait(kPause);
  }
}

}  // namespace mizan::service
