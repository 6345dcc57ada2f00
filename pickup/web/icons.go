package web

// consoleIcons are those that only the console uses, drawn as icons are.
func consoleIcons(name string) string {
	switch name {
	case "person":
		return `<circle cx="12" cy="8" r="3.75"/><path d="M4.5 20a7.5 7.5 0 0 1 15 0"/>`
	case "down":
		return `<path d="m7 9.5 5 5 5-5"/>`
	case "next":
		return `><path d="m9.5 5.5 6.5 6.5-6.5 6.5"/>`
	case "dashboard":
		return `<path d="M4 4h7v7H4zM14 4h6v4h-6zM14 11h6v9h-6zM4 14h7v6H4z"/>`
	case "users":
		return `<circle cx="9" cy="8.5" r="3.25"/><path d="M2.5 19.500a6.5 6.5 0 0 1 13 0M15.5 5.500a3.25 3.25 0 0 1 0 6M18 14a6.5 6.5 0 0 1 3.5 5.5"/>`
	case "message":
		return `<path d="M3.5 6h17v12.500h-17zM3.5 6.5 12 13l8.5-6.5"/>`
	case "queue":
		return `<path d="M4 6h16M4 12h16M4 18h9"/>`
	case "policy":
		return `<path d="M4 6h6v4H4zM14 14h6v4h-6zM7 10v6h7"/>`
	case "bell":
		return `<path d="M6 16.500V11a6 6 0 0 1 12 0v5.500l1.5 2h-15zM10 21h4"/>`
	case "settings":
		return `<path d="M4 7h8M17 7h3M4 17h3M12 17h8"/><circle cx="14.5" cy="7" r="2.5"/><circle cx="9.5" cy="17" r="2.5"/>`
	case "sealed":
		return `<path d="M5 21V11a7 7 0 0 1 14 0v10zM12 4v17"/>`
	case "lock":
		return `<path d="M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3"/>`
	case "robot":
		return `<path d="M5 9h14v10H5zM12 9V5M9.5 13v2M14.5 13v2"/>`
	case "plus":
		return `<path d="M12 5v14M5 12h14"/>`
	}
	return ""
}
