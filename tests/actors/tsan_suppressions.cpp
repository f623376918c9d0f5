/// Debian's libcaf_core.so is built without TSan, so TSan cannot see what its mailboxes order: whatever one actor's
/// turn or message hands to the next looks like a race. Reports with a frame of that library are left out; what the
/// edges' threads share beside CAF (credits, tickets, admission, the directory, the bridge) is still watched. Used by a
/// build with -fsanitize=thread alone.
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): TSan's name
extern "C" const char* __tsan_default_suppressions() { // NOLINT(bugprone-reserved-identifier)
  return "race:libcaf_core.so\n";
}
