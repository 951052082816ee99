package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
)

// demoSlug names the protected API that the dev command serves under /demo.
const demoSlug = "demo-orders"

var demoDefinition = resources.Definition{
	ID: "urn:safeconduct:demo-orders", Slug: demoSlug, Name: "Demo orders",
	Scopes: []resources.Scope{
		{Name: "orders:read", Title: "See your orders", Description: "List the orders of the demo shop."},
		{Name: "orders:write", Title: "Place orders", Description: "Place and change orders in the demo shop."},
	},
}

func (s *Server) demoRoutes() []route {
	return []route{
		{http.MethodGet, "/orders", []string{"orders:read"}, s.listOrders},
		{http.MethodPost, "/orders", []string{"orders:write"}, s.placeOrder},
	}
}

// mountDemo adds the demo API. It does not exist in a server that was not made for it.
func (s *Server) mountDemo(ctx context.Context, engine *gin.Engine) error {
	demo, _, err := s.resources.Create(ctx, demoDefinition)
	if errors.Is(err, store.ErrExists) {
		demo, err = s.resources.Get(ctx, demoSlug)
	}
	if err != nil {
		return err
	}
	s.protect(engine.Group("/demo"), demo, s.demoRoutes())
	s.mountDemoApp(engine)
	return nil
}

type order struct {
	ID    int    `json:"id"`
	Item  string `json:"item"`
	Count int    `json:"count"`
}

func (s *Server) listOrders(c *gin.Context) {
	writeJSON(c, http.StatusOK, []order{{1, "letter of safe-conduct", 1}, {2, "sealing wax", 3}})
}

func (s *Server) placeOrder(c *gin.Context) {
	writeJSON(c, http.StatusCreated, order{3, "parchment", 12})
}
