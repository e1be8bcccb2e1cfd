/** What a service does to live and die with the recorder, which is its parent. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export function serve(server: Server, close: () => Promise<void> = async () => {}): void {
  server.keepAliveTimeout = 120_000;
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ port: (server.address() as AddressInfo).port });
  });
  // The OpenTelemetry SDK flushes on SIGTERM by itself; the process ends when nothing is left to do.
  process.once('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
    void close().finally(() => {
      if (process.connected) process.disconnect();
    });
  });
  process.once('disconnect', () => {
    setTimeout(() => process.exit(0), 10_000).unref();
    process.kill(process.pid, 'SIGTERM');
  });
}
