from ..loading import extended

LoginView = extended("views.login", "LoginView")
