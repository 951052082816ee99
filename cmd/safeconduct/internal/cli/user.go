package cli

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func (a *app) userCommand() *cobra.Command {
	k := &kind[api.UserRecord]{
		app: a, noun: "user", path: "/users", arg: "USER",
		name:  func(u api.UserRecord) string { return u.Username },
		show:  showUser,
		heads: []string{"USERNAME", "NAME", "EMAIL", "ADMIN", "STATUS", "ID"},
		row: func(u api.UserRecord) []string {
			return []string{u.Username, u.Name, u.Email, yes(u.Admin), status(u.Disabled), u.ID}
		},
	}
	below := append([]*cobra.Command{k.listCommand(), k.getCommand(), a.createUserCommand(), a.importUsersCommand(), editUserCommand(k), k.deleteCommand(" and all that was granted in the user's name")},
		k.switchCommands("Shut a user out everywhere and end all that was granted in the user's name", "Let a disabled user in again")...)
	below = append(below, setPasswordCommand(k), logoutCommand(k))
	return a.group("user", "Create and manage users, by username or id", []string{"users"}, below...)
}

func showUser(p *page, u api.UserRecord) {
	p.field("id", u.ID)
	p.field("username", u.Username)
	p.field("name", u.Name)
	p.field("email", u.Email)
	p.field("email_verified", yes(u.EmailVerified))
	p.field("admin", yes(u.Admin))
	p.field("second_factor", yes(u.SecondFactor))
	p.field("status", status(u.Disabled))
	p.field("created", date(u.Created))
	if u.PasswordChanged.IsZero() {
		p.field("password", "none")
	} else {
		p.field("password", "set "+date(u.PasswordChanged))
	}
}

func (a *app) createUserCommand() *cobra.Command {
	var name, email string
	var verified, admin, fromStdin, none bool
	cmd := &cobra.Command{
		Use: "create USERNAME", Short: "Create a user; the password is asked for", Args: arguments("USERNAME"),
		Example: example(
			"safeconduct user create ada --admin", "asks for the password",
			"pass show ada | safeconduct user create ada --password-stdin", "without a terminal",
		),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := map[string]any{"username": args[0], "name": name, "email": email, "email_verified": verified, "admin": admin}
			if none && fromStdin {
				return usage("--no-password and --password-stdin contradict each other")
			}
			if !none {
				password, err := a.newPassword(cmd.Context(), fromStdin)
				if err != nil {
					return err
				}
				in["password"] = password
			}
			return a.createUser(cmd, in)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&name, "name", "", "name that is shown")
	flags.StringVar(&email, "email", "", "e-mail address")
	flags.BoolVar(&verified, "email-verified", false, "the address is known to be the user's")
	flags.BoolVar(&admin, "admin", false, "may administer the server")
	flags.BoolVar(&fromStdin, "password-stdin", false, "read the password from the standard input")
	flags.BoolVar(&none, "no-password", false, "no password: nobody can log in by one")
	return cmd
}

func (a *app) createUser(cmd *cobra.Command, in map[string]any) error {
	var raw json.RawMessage
	var made api.UserRecord
	err := a.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
		raw, err = server.Call(ctx, http.MethodPost, "/users", in)
		return about(err, "user", "", "safeconduct user list")
	})
	if err == nil {
		err = decode(raw, &made)
	}
	if err != nil {
		return err
	}
	return a.show(result{json: raw, bare: []string{made.ID}, human: func(p *page) { showUser(p, made) },
		words: []string{"Created user " + made.Username, "Next: safeconduct client create NAME --redirect-uri URI --scope SCOPE, an app that the user can sign in to"}})
}

func editUserCommand(k *kind[api.UserRecord]) *cobra.Command {
	var username, name, email string
	var verified, admin, secondFactor bool
	cmd := &cobra.Command{
		Use: "edit USER", Short: "Change a user; less rights or another second factor log the user out everywhere", Args: arguments("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := changes(cmd, map[string]any{
				"username": username, "name": name, "email": email, "email-verified": verified, "admin": admin, "second-factor": secondFactor,
			}, map[string]string{
				"username": "username", "name": "name", "email": "email", "email-verified": "email_verified", "admin": "admin", "second-factor": "second_factor",
			})
			if err != nil {
				return err
			}
			return k.edit(cmd, args[0], change, "Changed user "+args[0])
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&username, "username", "", "name to log in with")
	flags.StringVar(&name, "name", "", "name that is shown")
	flags.StringVar(&email, "email", "", "e-mail address; a new one is not verified unless it is said so")
	flags.BoolVar(&verified, "email-verified", false, "the address is known to be the user's")
	flags.BoolVar(&admin, "admin", false, "may administer the server; --admin=false takes it away")
	flags.BoolVar(&secondFactor, "second-factor", false, "a password alone does not log the user in")
	return cmd
}

func setPasswordCommand(k *kind[api.UserRecord]) *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use: "set-password USER", Short: "Set a user's password and log the user out everywhere", Args: arguments("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := k.app.newPassword(cmd.Context(), fromStdin)
			if err != nil {
				return err
			}
			if _, _, err := k.call(cmd, http.MethodPut, args[0], "/password", map[string]any{"new_password": password}); err != nil {
				return err
			}
			return k.app.show(result{words: []string{"Set the password of " + args[0] + "; everything granted in the user's name has ended"}})
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from the standard input")
	return cmd
}

func logoutCommand(k *kind[api.UserRecord]) *cobra.Command {
	return &cobra.Command{
		Use: "logout-everywhere USER", Short: "End everything granted in a user's name", Args: arguments("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := k.call(cmd, http.MethodPost, args[0], "/logout-everywhere", nil); err != nil {
				return err
			}
			return k.app.show(result{words: []string{"Logged " + args[0] + " out everywhere"}})
		},
	}
}
