package demo;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;

/** A hot function, one that allocates, a lock that two threads fight for, and a queue that a thread parks at. */
public class Orders {
  static final Object LOCK = new Object();
  static volatile long sink;

  static long hash(long seed) {
    long value = seed;
    for (int i = 0; i < 20_000; i++) value = value * 6364136223846793005L + (value >>> 17);
    return value;
  }

  static List<byte[]> allocate() {
    List<byte[]> list = new ArrayList<>();
    for (int i = 0; i < 200; i++) list.add(new byte[4096]);
    return list;
  }

  static void guarded() throws InterruptedException {
    synchronized (LOCK) {
      Thread.sleep(25);
    }
  }

  public static void main(String[] args) throws Exception {
    long end = System.nanoTime() + 1_500_000_000L;
    ArrayBlockingQueue<Long> queue = new ArrayBlockingQueue<>(1);
    Thread worker = new Thread(() -> {
      while (System.nanoTime() < end) { sink += hash(sink); if (sink % 64 == 0) sink += allocate().size(); }
    }, "worker");
    Thread left = new Thread(() -> { try { while (System.nanoTime() < end) guarded(); } catch (InterruptedException e) { } }, "left");
    Thread right = new Thread(() -> { try { while (System.nanoTime() < end) guarded(); } catch (InterruptedException e) { } }, "right");
    Thread taker = new Thread(() -> { try { for (;;) if (queue.take() < 0) return; } catch (InterruptedException e) { } }, "taker");
    worker.start(); left.start(); right.start(); taker.start();
    while (System.nanoTime() < end) { queue.put(1L); Thread.sleep(60); }
    queue.put(-1L);
    worker.join(); left.join(); right.join(); taker.join();
  }
}
