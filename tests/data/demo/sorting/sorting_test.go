package sorting

import (
	"encoding/json"
	"fmt"
	"sort"
	"testing"
)

func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = (i * 7919) % n
	}
	return list
}

func BenchmarkSort(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.SetBytes(int64(8 * n))
			for i := 0; i < b.N; i++ {
				sort.Ints(numbers(n))
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	list := numbers(64)
	for i := 0; i < b.N; i++ {
		if _, err := json.Marshal(list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(640, "p99-latency-ns")
	b.ReportMetric(3.5, "turns")
}

func BenchmarkLogs(b *testing.B) {
	fmt.Println("progress: started")
	for i := 0; i < b.N; i++ {
		numbers(10)
	}
	fmt.Print("no newline here ")
}
