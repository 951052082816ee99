package server_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// chromium is the one browser of all tests of this package, since starting it takes longer than most of them. Each test
// has a profile of its own in it.
var chromium struct {
	sync.Mutex
	started bool
	ctx     context.Context
	end     func()
	err     error
}

// TestMain ends the browser when all tests have ended. It also dies with the process.
func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.end != nil {
		chromium.end()
	}
	os.Exit(code)
}

// openChromium returns the context of the running browser.
func openChromium(t testing.TB) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		program, err = exec.LookPath("chromium-browser")
	}
	if err != nil {
		redistest.Missing(t, "chromium is not installed (Debian: apt-get install chromium)")
	}
	chromium.Lock()
	defer chromium.Unlock()
	if !chromium.started {
		chromium.started = true
		chromium.ctx, chromium.end, chromium.err = startChromium(program)
	}
	if chromium.err != nil {
		t.Fatalf("start %s: %v", program, chromium.err)
	}
	return chromium.ctx
}

func startChromium(program string) (context.Context, func(), error) {
	folder, err := os.MkdirTemp("", "safeconduct-chromium-")
	if err != nil {
		return nil, nil, err
	}
	on := []string{"disable-gpu", "disable-quic", "no-first-run", "no-default-browser-check", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-default-apps", "disable-extensions", "disable-dev-shm-usage", "disable-breakpad",
		"disable-backgrounding-occluded-windows", "disable-renderer-backgrounding", "disable-background-timer-throttling", "hide-scrollbars", "disable-lcd-text"}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(folder + "/profile"),
		chromedp.Env("TMPDIR="+folder, "XDG_CONFIG_HOME="+folder, "XDG_CACHE_HOME="+folder), // nothing is left anywhere else
		chromedp.Flag("headless", "new"), chromedp.Flag("lang", "en-US"), chromedp.Flag("password-store", "basic"),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("font-render-hinting", "none"),
		// No name leads out of this machine.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	}
	for _, name := range on {
		options = append(options, chromedp.Flag(name, true))
	}
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium does not start as root with it
	}
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	end := func() {
		cancel()
		endAllocator()
		_ = os.RemoveAll(folder)
	}
	if err := chromedp.Do(ctx); err != nil {
		end()
		return nil, nil, err
	}
	return ctx, end, nil
}
