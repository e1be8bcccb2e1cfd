package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"runtime"
	"sync"
	"time"
)

var sink uint64

//go:noinline
func weighOrders(n int) uint64 {
	x := uint64(1)
	for i := 0; i < n; i++ {
		x = x*6364136223846793005 + x>>17
	}
	return x
}

var mu sync.Mutex
var kept [][]byte

//go:noinline
func keepBasket() { kept = append(kept, make([]byte, 1<<20)) }

func main() {
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	runtime.MemProfileRate = 1024
	for i := 0; i < 8; i++ {
		keepBasket()
	}
	go func() {
		for {
			sink += weighOrders(1 << 20)
		}
	}()
	for i := 0; i < 2; i++ {
		go func() {
			for {
				mu.Lock()
				time.Sleep(5 * time.Millisecond)
				mu.Unlock()
			}
		}()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.Serve(listener, nil)
}
