// Go's os/exec at the rows of the comparison.
//
//	with_go ROW PROGRAMS COUNT CROWD
//
// Prepares itself, prints `ready`, and answers each line of its standard input with `value FIGURE`.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

var (
	row, programs = os.Args[1], os.Args[2]
	count, crowd  = number(os.Args[3]), number(os.Args[4])
	chunk         = 128 << 10
	ballast       []byte
)

func check(err error) {
	if err != nil {
		fmt.Println("absent", err)
		os.Exit(1)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func program(name string) string { return filepath.Join(programs, name) }

func micros(start time.Time) float64 { return float64(time.Since(start).Nanoseconds()) / 1e3 }

func gigabytesPerSecond(start time.Time) float64 {
	return float64(count) / 1e3 / micros(start)
}

func spawnOnce() {
	child := exec.Command(program("exit0"))
	input, err := child.StdinPipe()
	check(err)
	var out, errors bytes.Buffer
	child.Stdout, child.Stderr = &out, &errors
	if row != "spawn-1g" {
		check(child.Start())
	} else {
		fourth, childs, err := os.Pipe()
		check(err)
		child.ExtraFiles = []*os.File{childs}
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		check(child.Start())
		check(childs.Close())
		received(fourth)
		check(fourth.Close())
	}
	check(input.Close())
	check(child.Wait())
}

func spawn() float64 {
	start := time.Now()
	for i := 0; i < count; i++ {
		spawnOnce()
	}
	return micros(start) / float64(count)
}

// Counts the bytes that come until the end.
func received(out io.Reader) (bytes int) {
	buffer := make([]byte, 64<<10)
	for {
		read, err := out.Read(buffer)
		bytes += read
		if err == io.EOF {
			return bytes
		}
		check(err)
	}
}

// Starts a child, and returns it with its output.
func start(child *exec.Cmd) io.Reader {
	out, err := child.StdoutPipe()
	check(err)
	check(child.Start())
	return out
}

// Waits for a child that has written `bytes`.
func finish(child *exec.Cmd, bytes int) {
	check(child.Wait())
	if bytes != count {
		check(fmt.Errorf("%d bytes came", bytes))
	}
}

func bulk() float64 {
	begin := time.Now()
	child := exec.Command(program("flood"), strconv.Itoa(chunk), strconv.Itoa(count/chunk))
	finish(child, received(start(child)))
	return gigabytesPerSecond(begin)
}

func throughCat() float64 {
	begin := time.Now()
	child := exec.Command(program("cat"))
	input, err := child.StdinPipe()
	check(err)
	out := start(child)
	go func() {
		data := make([]byte, chunk)
		for i := 0; i < count/chunk; i++ {
			_, err := input.Write(data)
			check(err)
		}
		check(input.Close())
	}()
	finish(child, received(out))
	return gigabytesPerSecond(begin)
}

func captureOnce() {
	captured := "/bin/true"
	if row == "capture-static" {
		captured = program("exit0")
	}
	_, err := exec.Command(captured).Output()
	check(err)
}

func capture() float64 {
	start := time.Now()
	for i := 0; i < count; i++ {
		captureOnce()
	}
	return micros(start) / float64(count)
}

func runAll() float64 {
	begin := time.Now()
	commands, done := make(chan int), make(chan bool)
	for worker := 0; worker < 2; worker++ {
		go func() {
			for range commands {
				captureOnce()
			}
			done <- true
		}()
	}
	for i := 0; i < crowd; i++ {
		commands <- i
	}
	close(commands)
	<-done
	<-done
	return micros(begin) / 1e3
}

func main() {
	works := map[string]func() float64{
		"spawn": spawn, "spawn-1g": spawn, "bulk-out-128k": bulk, "bulk-out-4k": bulk,
		"bulk-cat": throughCat, "capture": capture, "capture-static": capture, "run-all": runAll,
	}
	if row == "bulk-out-4k" {
		chunk = 4 << 10
	} else if row == "spawn-1g" {
		ballast = bytes.Repeat([]byte{1}, crowd<<20)
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Printf("value %.9f\n", works[row]())
	}
}
