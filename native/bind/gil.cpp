#include "bind/gil.hpp"

#include <chrono>
#include <thread>

namespace throughtime {

namespace {

// Before Python 3.14 a thread that asks for the GIL of an interpreter that has ended is ended by
// pthread_exit(). With glibc that unwinds the stack, which aborts the process: no frame of
// nanobind may be unwound, nor a destructor. To ask first whether the interpreter is ending would
// not help, for it may end while the thread waits. So the unwinding stops here, in a destructor
// that does not return, and the thread sleeps until the process ends. From Python 3.14 on Python
// itself does that; other C libraries end the thread without unwinding.
class Guard {
   public:
    ~Guard() {
        while (!passed) std::this_thread::sleep_for(std::chrono::hours(24));
    }
    void pass() { passed = true; }

   private:
    volatile bool passed = false;
};

}  // namespace

void take_gil(PyThreadState* state) {
    Guard guard;
    PyEval_RestoreThread(state);
    guard.pass();
}

}  // namespace throughtime
