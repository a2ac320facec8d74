package broken

import "testing"

func BenchmarkFine(b *testing.B) {
	for i := 0; i < b.N; i++ {
	}
}

func BenchmarkSkipped(b *testing.B) {
	b.Skip("needs a network")
}

func BenchmarkWrong(b *testing.B) {
	b.Run("one", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
		}
	})
	b.Run("two", func(b *testing.B) {
		b.Fatal("the answer is 41")
	})
}

func BenchmarkPanics(b *testing.B) {
	var list []int
	for i := 0; i < b.N; i++ {
		list[i] = i
	}
}

func BenchmarkNeverReached(b *testing.B) {
}
