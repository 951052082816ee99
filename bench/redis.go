package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	redisStarts = 15 * time.Second
	redisPolls  = 10 * time.Millisecond
)

// errNoRedis says that there is no redis-server to measure with.
var errNoRedis = errors.New("redis-server is not installed (Debian: apt-get install redis-server)")

// redisServer is a redis-server of the benchmark's own, without persistence, on the core of the generator.
type redisServer struct {
	url     string
	version string
	process *exec.Cmd
	client  *redis.Client
}

func startRedis(ctx context.Context, c cores, dir string) (*redisServer, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNoRedis
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	process := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no", "--daemonize", "no")
	process.SysProcAttr = dieWithParent()
	if err := c.start(clientCore, process); err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	address := net.JoinHostPort("127.0.0.1", port)
	r := &redisServer{url: "redis://" + address + "/0", process: process, client: redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1})}
	deadline := time.Now().Add(redisStarts)
	for r.client.Ping(ctx).Err() != nil {
		if time.Now().After(deadline) || ctx.Err() != nil {
			r.stop()
			return nil, errors.New("redis-server does not answer")
		}
		time.Sleep(redisPolls)
	}
	server, err := r.info(ctx, "server")
	r.version = server["redis_version"]
	return r, err
}

func (r *redisServer) stop() {
	_ = r.client.Close()
	_ = r.process.Process.Kill()
	_ = r.process.Wait()
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// info is a section of INFO.
func (r *redisServer) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := r.client.Info(ctx, section).Result()
	if err != nil {
		return nil, fmt.Errorf("ask redis for its %s: %w", section, err)
	}
	fields := make(map[string]string)
	for _, line := range strings.Split(text, "\r\n") {
		if name, value, found := strings.Cut(line, ":"); found {
			fields[name] = value
		}
	}
	return fields, nil
}

// spent is what Redis has done so far.
type spent struct {
	cpu      time.Duration
	commands map[string]int64
}

func (r *redisServer) spent(ctx context.Context) (spent, error) {
	s := spent{commands: make(map[string]int64)}
	cpu, err := r.info(ctx, "cpu")
	if err != nil {
		return s, err
	}
	for _, name := range []string{"used_cpu_sys", "used_cpu_user"} {
		seconds, err := strconv.ParseFloat(cpu[name], 64)
		if err != nil {
			return s, fmt.Errorf("read %s of redis: %w", name, err)
		}
		s.cpu += time.Duration(seconds * float64(time.Second))
	}
	stats, err := r.info(ctx, "commandstats")
	if err != nil {
		return s, err
	}
	for name, value := range stats {
		command, found := strings.CutPrefix(name, "cmdstat_")
		if !found || command == "info" {
			continue
		}
		calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		if s.commands[command], err = strconv.ParseInt(calls, 10, 64); err != nil {
			return s, fmt.Errorf("read %s of redis: %w", name, err)
		}
	}
	return s, nil
}

// usedMemory is what Redis has allocated, when that has come to rest.
func (r *redisServer) usedMemory(ctx context.Context) (int64, error) {
	last := int64(-1)
	for deadline := time.Now().Add(redisStarts); ; {
		memory, err := r.info(ctx, "memory")
		if err != nil {
			return 0, err
		}
		used, err := strconv.ParseInt(memory["used_memory"], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read used_memory of redis: %w", err)
		}
		// Tables are rehashed, and buffers of gone connections freed, little by little.
		if used-last < 1024 && last-used < 1024 || time.Now().After(deadline) {
			return used, nil
		}
		last = used
		time.Sleep(25 * redisPolls)
	}
}
