// clang-format off
// NOLINTBEGIN
// Straw man: the smallest program that does what the product's hot path must do. It is the reference that the product
// is measured against on the same machine, not a design to copy (no actors, no TLS, no retry policy worth the name).
//
//   strawman serve PORT SINKPORT [io=1] [ins=1] [max=512] [linger=1000] [pool=16] [dsn=...]   ingest + deliver
//   strawman sink  PORT                                                                        counts POSTs, answers 200
//   strawman load  PORT CONNS SECONDS [rate=0]        signed unique 1 KB POSTs; rate=0: closed loop, else open loop
//
// serve: read POST (Beast) -> HMAC-SHA256 over the body -> group-committed INSERT of event + delivery (one statement per
// batch, binary arrays + unnest, ON CONFLICT DO NOTHING) -> 202 -> POST to the sink over a keep-alive pool -> batched
// UPDATE of the delivery rows. linger is in microseconds: how long an insert batch waits to fill up to max.
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <sys/resource.h>
#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <vector>
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using clk = std::chrono::steady_clock;
using std::string;
using std::vector;
static const string kSecret = "whsec_0123456789abcdef";

static string hexmac(const char* data, size_t n) {
  unsigned char md[32];
  unsigned len = 32;
  HMAC(EVP_sha256(), kSecret.data(), (int)kSecret.size(), (const unsigned char*)data, n, md, &len);
  static const char* h = "0123456789abcdef";
  string s(64, 0);
  for (int i = 0; i < 32; ++i) s[2 * i] = h[md[i] >> 4], s[2 * i + 1] = h[md[i] & 15];
  return s;
}
static double secs(clk::time_point a) { return std::chrono::duration<double>(clk::now() - a).count(); }
static tcp::endpoint ep(int port) { return {asio::ip::make_address("127.0.0.1"), (unsigned short)port}; }
static void die(const string& m) { fprintf(stderr, "%s\n", m.c_str()); _exit(1); }

// ---------------------------------------------------------------- PostgreSQL
static void be32(string& o, uint32_t v) { v = htonl(v); o.append((char*)&v, 4); }
static void be64(string& o, uint64_t v) { be32(o, uint32_t(v >> 32)); be32(o, uint32_t(v)); }
static string arr(uint32_t oid, size_t n) { string o; be32(o, 1); be32(o, 0); be32(o, oid); be32(o, (uint32_t)n); be32(o, 1); return o; }
static void put(string& a, const string& s) { be32(a, (uint32_t)s.size()); a += s; }
struct Pg {
  PGconn* c;
  explicit Pg(const string& dsn) : c(PQconnectdb(dsn.c_str())) { if (PQstatus(c) != CONNECTION_OK) die(PQerrorMessage(c)); PQsetNoticeProcessor(c, [](void*, const char*) {}, nullptr); }
  ~Pg() { PQfinish(c); }
  PGresult* ok(PGresult* r) { auto s = PQresultStatus(r); if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK) die(PQerrorMessage(c)); return r; }
  void x(const string& q) { PQclear(ok(PQexec(c, q.c_str()))); }
  void prep(const char* n, const string& q) { PQclear(ok(PQprepare(c, n, q.c_str(), 0, nullptr))); }
  PGresult* run(const char* n, const vector<string>& p) {
    vector<const char*> v; vector<int> l, f(p.size(), 1);
    for (auto& s : p) v.push_back(s.data()), l.push_back((int)s.size());
    return ok(PQexecPrepared(c, n, (int)p.size(), v.data(), l.data(), f.data(), 1));
  }
};
static const char* kSchema =
  "create table if not exists sm_event(id bigint primary key, tenant int not null, dkey text not null,"
  " received_at timestamptz not null default now(), body bytea not null);"
  "create unique index if not exists sm_event_dedupe on sm_event(tenant, dkey);"
  "create table if not exists sm_delivery(event_id bigint primary key, endpoint int not null, state smallint not null default 0,"
  " attempts smallint not null default 0, last_status smallint, updated_at timestamptz not null default now()) with (fillfactor=70);";

// A queue that hands a whole batch to one of its consumers: everything there is, up to max, after waiting up to linger.
template <class T> class BatchQueue {
  std::mutex m; std::condition_variable cv; vector<T> q;
public:
  void push(T x) { bool first; { std::lock_guard g(m); q.push_back(std::move(x)); first = q.size() == 1; } if (first) cv.notify_one(); }
  void push_all(vector<T>& xs) { bool first; { std::lock_guard g(m); first = q.empty(); for (auto& x : xs) q.push_back(std::move(x)); } xs.clear(); if (first) cv.notify_one(); }
  size_t size() { std::lock_guard g(m); return q.size(); }
  vector<T> take(size_t max, std::chrono::microseconds linger) {
    { std::unique_lock g(m); cv.wait(g, [&] { return !q.empty(); }); if (q.size() >= max || linger.count() == 0) return cut(max); }
    std::this_thread::sleep_for(linger);  // one sleep instead of a timed wait: no wake-up per push
    std::lock_guard g(m);
    return cut(max);
  }
private:
  vector<T> cut(size_t max) {
    if (q.size() <= max) { vector<T> r; r.swap(q); return r; }
    vector<T> r(std::make_move_iterator(q.begin()), std::make_move_iterator(q.begin() + max));
    q.erase(q.begin(), q.begin() + max); cv.notify_one(); return r;
  }
};

// ---------------------------------------------------------------- serve
struct Session;
struct Ev { int64_t id; string key, body; std::shared_ptr<Session> s; int io; bool fresh = true; };
struct Done { int64_t id; int16_t state, status, attempts; };
struct Job { int64_t id; string body; int16_t attempts = 0; };
struct Node;
struct Cfg { int port, sink, io = 1, ins = 1, max = 512, linger = 1000, pool = 16; string dsn = "host=127.0.0.1 port=55432 dbname=spike user=postgres"; };
static Cfg cfg;
static BatchQueue<std::unique_ptr<Ev>> to_insert;
static BatchQueue<Done> to_update;
static std::atomic<int64_t> next_id, accepted{0}, dups{0}, rejected{0}, delivered{0}, failed{0}, ins_batches{0}, ins_rows{0}, upd_batches{0}, upd_rows{0};
static vector<std::unique_ptr<Node>> nodes;

// One io_context on one thread: its sessions, its delivery connections, its job queue. Nothing here is shared.
struct Worker;
struct Node {
  asio::io_context io{1};
  tcp::acceptor acc{io};
  std::deque<Job> jobs;
  vector<std::shared_ptr<Worker>> idle;
  vector<Done> done; bool flush_posted = false;
  void accept(int idx);
  void submit(Job j);
  void finish(Done d) { done.push_back(d); if (!flush_posted) { flush_posted = true; asio::post(io, [this] { flush_posted = false; to_update.push_all(done); }); } }
};

struct Session : std::enable_shared_from_this<Session> {
  tcp::socket sock; int io; beast::flat_buffer buf;
  std::optional<http::request_parser<http::string_body>> p;
  http::response<http::empty_body> rs;
  Session(tcp::socket s, int i) : sock(std::move(s)), io(i) {}
  void read() {
    p.emplace(); p->body_limit(1 << 20);
    http::async_read(sock, buf, *p, [me = shared_from_this()](error_code ec, size_t) { if (!ec) me->got(); });
  }
  void got() {
    auto& rq = p->get(); auto sig = rq["X-Signature"]; auto mac = hexmac(rq.body().data(), rq.body().size());
    if (sig.size() != 64 || CRYPTO_memcmp(sig.data(), mac.data(), 64) != 0) { ++rejected; return reply(401); }
    auto key = rq["X-Event-Id"];
    auto e = std::make_unique<Ev>(); e->id = next_id++; e->key.assign(key.data(), key.size()); e->body = std::move(rq.body()); e->s = shared_from_this(); e->io = io;
    to_insert.push(std::move(e));
  }
  void reply(unsigned st) {
    rs = {}; rs.version(11); rs.result(st); rs.keep_alive(p->get().keep_alive()); rs.prepare_payload();
    http::async_write(sock, rs, [me = shared_from_this()](error_code ec, size_t) { if (!ec && me->rs.keep_alive()) me->read(); });
  }
};

struct Worker : std::enable_shared_from_this<Worker> {
  Node& n; tcp::socket sock; beast::flat_buffer buf; bool open = false; Job job;
  http::request<http::string_body> rq{http::verb::post, "/hook", 11};
  std::optional<http::response_parser<http::string_body>> rp;
  explicit Worker(Node& x) : n(x), sock(x.io) { rq.set(http::field::host, "127.0.0.1"); rq.set(http::field::content_type, "application/json"); }
  void start(Job j) {
    job = std::move(j); ++job.attempts;
    if (open) return send();
    sock = tcp::socket(n.io); buf.clear();
    sock.async_connect(ep(cfg.sink), [me = shared_from_this()](error_code ec) { if (ec) return me->end(0); me->open = true; me->sock.set_option(tcp::no_delay(true)); me->send(); });
  }
  void send() {
    rq.set("X-Event", std::to_string(job.id)); rq.body() = job.body; rq.prepare_payload();
    http::async_write(sock, rq, [me = shared_from_this()](error_code ec, size_t) {
      if (ec) return me->end(0);
      me->rp.emplace();
      http::async_read(me->sock, me->buf, *me->rp, [me](error_code ec, size_t) { if (ec) return me->end(0); if (!me->rp->get().keep_alive()) me->open = false; me->end(me->rp->get().result_int()); });
    });
  }
  void end(unsigned status) {
    if (status == 0) { error_code ec; sock.close(ec); open = false; }
    if (status >= 200 && status < 300) { ++delivered; n.finish({job.id, 2, int16_t(status), job.attempts}); }
    else if (job.attempts >= 5) { ++failed; n.finish({job.id, 3, int16_t(status), job.attempts}); }
    else {
      auto t = std::make_shared<asio::steady_timer>(n.io, std::chrono::milliseconds(100 << job.attempts));
      t->async_wait([t, &n = n, j = std::make_shared<Job>(std::move(job))](error_code) { n.submit(std::move(*j)); });
    }
    if (n.jobs.empty()) { n.idle.push_back(shared_from_this()); return; }
    Job j = std::move(n.jobs.front()); n.jobs.pop_front(); start(std::move(j));
  }
};
void Node::submit(Job j) {
  if (idle.empty()) { jobs.push_back(std::move(j)); return; }
  auto w = std::move(idle.back()); idle.pop_back(); w->start(std::move(j));
}
void Node::accept(int idx) {
  acc.async_accept([this, idx](error_code ec, tcp::socket s) {
    if (!ec) { s.set_option(tcp::no_delay(true)); std::make_shared<Session>(std::move(s), idx)->read(); }
    accept(idx);
  });
}
static void inserter() {
  Pg pg(cfg.dsn);
  pg.prep("i", "with e as (insert into sm_event(id,tenant,dkey,body) select a,b,c,d from unnest($1::int8[],$2::int4[],$3::text[],$4::bytea[]) u(a,b,c,d)"
               " on conflict do nothing returning id) insert into sm_delivery(event_id,endpoint) select id,1 from e returning event_id");
  for (;;) {
    auto b = to_insert.take((size_t)cfg.max, std::chrono::microseconds(cfg.linger));
    size_t n = b.size();
    vector<string> p{arr(20, n), arr(23, n), arr(25, n), arr(17, n)};
    p[3].reserve(n * 1100);
    for (auto& e : b) { be32(p[0], 8); be64(p[0], (uint64_t)e->id); be32(p[1], 4); be32(p[1], 1); put(p[2], e->key); put(p[3], e->body); }
    auto r = pg.run("i", p);
    if ((size_t)PQntuples(r) != n) {
      std::unordered_set<int64_t> got;
      for (int k = 0; k < PQntuples(r); ++k) { auto d = (const unsigned char*)PQgetvalue(r, k, 0); int64_t v = 0; for (int j = 0; j < 8; ++j) v = v << 8 | d[j]; got.insert(v); }
      for (auto& e : b) e->fresh = got.count(e->id) > 0;
    }
    PQclear(r);
    ++ins_batches; ins_rows += (int64_t)n;
    vector<vector<std::unique_ptr<Ev>>> by(nodes.size());
    for (auto& e : b) by[(size_t)e->io].push_back(std::move(e));
    for (size_t k = 0; k < by.size(); ++k) if (!by[k].empty())
      asio::post(nodes[k]->io, [v = std::move(by[k]), nd = nodes[k].get()]() mutable {
        for (auto& e : v) { e->s->reply(e->fresh ? 202 : 200); if (e->fresh) { ++accepted; nd->submit({e->id, std::move(e->body)}); } else ++dups; }
      });
  }
}
static void updater() {
  Pg pg(cfg.dsn);
  pg.prep("u", "update sm_delivery d set state=x.s, last_status=x.h, attempts=x.a, updated_at=now() from unnest($1::int8[],$2::int2[],$3::int2[],$4::int2[]) x(id,s,h,a)"
               " where d.event_id=x.id and d.state<2");
  auto i16 = [](string& o, int16_t v) { be32(o, 2); uint16_t n = htons((uint16_t)v); o.append((char*)&n, 2); };
  for (;;) {
    auto b = to_update.take(2048, std::chrono::milliseconds(10));
    vector<string> p{arr(20, b.size()), arr(21, b.size()), arr(21, b.size()), arr(21, b.size())};
    for (auto& d : b) { be32(p[0], 8); be64(p[0], (uint64_t)d.id); i16(p[1], d.state); i16(p[2], d.status); i16(p[3], d.attempts); }
    PQclear(pg.run("u", p));
    ++upd_batches; upd_rows += (int64_t)b.size();
  }
}
static int serve() {
  { Pg pg(cfg.dsn); pg.x(kSchema); }
  next_id = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count() << 8;
  for (int i = 0; i < cfg.io; ++i) {
    nodes.push_back(std::make_unique<Node>()); auto& n = *nodes.back();
    n.acc.open(tcp::v4()); int one = 1; setsockopt(n.acc.native_handle(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    n.acc.set_option(tcp::acceptor::reuse_address(true)); n.acc.bind(ep(cfg.port)); n.acc.listen(1024);
    for (int k = 0; k < cfg.pool; ++k) n.idle.push_back(std::make_shared<Worker>(n));
  }
  { // crash-safe resumption: whatever a previous run accepted and did not finish is delivered first
    Pg pg(cfg.dsn); auto r = pg.ok(PQexecParams(pg.c, "select d.event_id, e.body from sm_delivery d join sm_event e on e.id=d.event_id where d.state<2 order by 1", 0, nullptr, nullptr, nullptr, nullptr, 1));
    for (int k = 0; k < PQntuples(r); ++k) { auto d = (const unsigned char*)PQgetvalue(r, k, 0); int64_t v = 0; for (int j = 0; j < 8; ++j) v = v << 8 | d[j]; nodes[(size_t)k % nodes.size()]->submit({v, string(PQgetvalue(r, k, 1), (size_t)PQgetlength(r, k, 1))}); }
    fprintf(stderr, "resumed %d\n", PQntuples(r)); PQclear(r);
  }
  vector<std::thread> ts;
  for (int i = 0; i < cfg.ins; ++i) ts.emplace_back(inserter);
  ts.emplace_back(updater);
  for (int i = 0; i < cfg.io; ++i) { nodes[(size_t)i]->accept(i); ts.emplace_back([i] { nodes[(size_t)i]->io.run(); }); }
  int64_t a0 = 0, d0 = 0, ib0 = 0, ir0 = 0, ub0 = 0, ur0 = 0;
  for (;;) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    int64_t a = accepted, d = delivered, ib = ins_batches, ir = ins_rows, ub = upd_batches, ur = upd_rows;
    if (a != a0 || d != d0 || ur != ur0)
      fprintf(stderr, "accepted/s %ld delivered/s %ld state/s %ld | backlog %ld | ins batch %.1f upd batch %.1f | dups %ld rejected %ld failed %ld\n", long(a - a0), long(d - d0), long(ur - ur0),
              long(a - d), double(ir - ir0) / std::max<int64_t>(1, ib - ib0), double(ur - ur0) / std::max<int64_t>(1, ub - ub0), long(dups), long(rejected), long(failed));
    a0 = a, d0 = d, ib0 = ib, ir0 = ir, ub0 = ub, ur0 = ur;
  }
}

// ---------------------------------------------------------------- sink and load generator: hand-written HTTP, to stay cheap
static size_t one_message(const char* d, size_t n) {  // length of the first whole HTTP message in d, 0 when incomplete
  std::string_view v(d, n); auto h = v.find("\r\n\r\n"); if (h == v.npos) return 0;
  size_t len = 0; auto c = v.find("ontent-"); while (c != v.npos && c < h) { if (strncasecmp(d + c, "ontent-length:", 14) == 0) { len = strtoul(d + c + 14, nullptr, 10); break; } c = v.find("ontent-", c + 7); }
  return n >= h + 4 + len ? h + 4 + len : 0;
}
static std::atomic<int64_t> sunk{0};
struct SinkConn : std::enable_shared_from_this<SinkConn> {
  tcp::socket s; vector<char> b; size_t n = 0;
  explicit SinkConn(tcp::socket x) : s(std::move(x)), b(65536) {}
  void read() { s.async_read_some(asio::buffer(b.data() + n, b.size() - n), [me = shared_from_this()](error_code ec, size_t k) { if (!ec) me->got(k); }); }
  void got(size_t k) {
    n += k; size_t m = one_message(b.data(), n); if (!m) return read();
    ++sunk; memmove(b.data(), b.data() + m, n - m); n -= m;
    static const string ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    asio::async_write(s, asio::buffer(ok), [me = shared_from_this()](error_code ec, size_t) { if (!ec) me->read(); });
  }
};
static int sink(int port) {
  asio::io_context io(1); tcp::acceptor a(io, ep(port));
  std::function<void()> acc = [&] { a.async_accept([&](error_code ec, tcp::socket s) { if (!ec) { s.set_option(tcp::no_delay(true)); std::make_shared<SinkConn>(std::move(s))->read(); } acc(); }); };
  acc();
  asio::steady_timer t(io); int64_t last = 0;
  std::function<void()> tick = [&] { t.expires_after(std::chrono::seconds(1)); t.async_wait([&](error_code) { int64_t x = sunk; if (x != last) fprintf(stderr, "sink %ld/s total %ld\n", long(x - last), long(x)); last = x; tick(); }); };
  tick(); io.run(); return 0;
}
static vector<float> lat; static std::map<int, long> codes; static std::atomic<long> seq{0}; static clk::time_point stop_at, warm_at;
struct LoadConn : std::enable_shared_from_this<LoadConn> {
  tcp::socket s; asio::steady_timer t; string out; char in[4096]; size_t n = 0; clk::time_point start, due; clk::duration gap;
  LoadConn(asio::io_context& io, clk::duration g) : s(io), t(io), gap(g) {}
  void open(int port) { s.async_connect(ep(port), [me = shared_from_this()](error_code ec) { if (ec) die("connect: " + ec.message()); me->s.set_option(tcp::no_delay(true)); me->due = clk::now() + me->gap * (rand() % 1000) / 1000; me->next(); }); }
  void next() {
    if (clk::now() >= stop_at) return;
    if (gap.count() == 0) { start = clk::now(); return fire(); }
    start = due; due += gap;  // open loop: latency counts from the time the request was due
    t.expires_at(start); t.async_wait([me = shared_from_this()](error_code) { me->fire(); });
  }
  void fire() {
    static const string run = std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    string id = "evt_" + run + "_" + std::to_string(seq++), body = "{\"id\":\"" + id + "\",\"type\":\"invoice.paid\",\"data\":\"";
    body.resize(1022, 'x'); body += "\"}";
    out = "POST /in/acme HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Event-Id: " + id + "\r\nX-Signature: " + hexmac(body.data(), body.size()) + "\r\nContent-Length: 1024\r\n\r\n" + body;
    asio::async_write(s, asio::buffer(out), [me = shared_from_this()](error_code ec, size_t) { if (ec) die("write: " + ec.message()); me->n = 0; me->read(); });
  }
  void read() {
    s.async_read_some(asio::buffer(in + n, sizeof in - n), [me = shared_from_this()](error_code ec, size_t k) {
      if (ec) die("read: " + ec.message());
      me->n += k; if (!one_message(me->in, me->n)) return me->read();
      if (me->start >= warm_at) { lat.push_back(float(secs(me->start) * 1e3)); ++codes[atoi(me->in + 9)]; }
      me->next();
    });
  }
};
static int load(int port, int conns, double sec, double rate) {
  asio::io_context io(1); auto t0 = clk::now(); warm_at = t0 + std::chrono::seconds(1); stop_at = warm_at + std::chrono::duration_cast<clk::duration>(std::chrono::duration<double>(sec));
  auto gap = rate > 0 ? std::chrono::duration_cast<clk::duration>(std::chrono::duration<double>(conns / rate)) : clk::duration{};
  for (int i = 0; i < conns; ++i) std::make_shared<LoadConn>(io, gap)->open(port);
  io.run(); double s = secs(warm_at); if (lat.empty()) die("no answers");
  std::sort(lat.begin(), lat.end()); auto q = [&](double x) { return lat[size_t(x * double(lat.size() - 1))]; };
  printf("conns=%d rate=%.0f: %.0f req/s  p50=%.2fms p90=%.2fms p99=%.2fms p99.9=%.2fms max=%.2fms ", conns, rate, double(lat.size()) / s, q(.5), q(.9), q(.99), q(.999), q(1));
  for (auto& [c, k] : codes) printf(" %d:%ld", c, k);
  puts(""); return 0;
}
int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc < 3) die("strawman serve|sink|load PORT ...");
  string mode = argv[1]; auto opt = [&](const string& k) -> const char* { for (int i = 3; i < argc; ++i) if (strncmp(argv[i], (k + "=").c_str(), k.size() + 1) == 0) return argv[i] + k.size() + 1; return nullptr; };
  auto num = [&](const string& k, int& v) { if (auto s = opt(k)) v = atoi(s); };
  if (mode == "sink") return sink(atoi(argv[2]));
  if (mode == "load" && argc >= 5) return load(atoi(argv[2]), atoi(argv[3]), atof(argv[4]), opt("rate") ? atof(opt("rate")) : 0);
  if (mode != "serve" || argc < 4) die("bad arguments");
  cfg.port = atoi(argv[2]); cfg.sink = atoi(argv[3]); num("io", cfg.io); num("ins", cfg.ins); num("max", cfg.max); num("linger", cfg.linger); num("pool", cfg.pool); if (auto s = opt("dsn")) cfg.dsn = s;
  return serve();
}
// NOLINTEND
